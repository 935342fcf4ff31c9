// The other lessons on freshness: what is lost or never sent, what is put back, and what is nothing or not there.

import { assert, check, until } from "../lib/check.mjs";
import { SOLVED, at, openPage, shot, text } from "../lib/page.mjs";

const verdict = (page, word) => until("the verdict", () => text(page, "run-verdict"), (told) => told.includes(word));
const failure = (page, what) => until("the failing line", () => text(page, "failure"), (told) => told.includes(what));
const fresh = (page) => page.locator(".server").evaluateAll((cards) => cards.map((card) => card.dataset.fresh));
const green = (page, seeds) => until("the seeds", () => text(page, "verdict-count"), (count) => count.trim() === `${seeds} / 200`);

async function lostInvalidation({ browser, url }) {
  const { page, errors, close } = await openPage(browser, url, { progress: SOLVED, hash: "#lost-invalidation/fail" });
  await check("the first half of a lost invalidation fails while its link is silent", async () => {
    await verdict(page, "Red");
    await failure(page, "client-3 gets 50 (v1)");
    assert((await text(page, "fault")).includes("silent"), `the fault in force is ${await text(page, "fault")}`);
    assert((await fresh(page)).join() === "fresh,fresh,stale,fresh", `the cards are ${await fresh(page)}`);
  });
  await check("with a dead server goes what it held, and the call that it waits for", async () => {
    await page.keyboard.press("End");
    await until("the cards", () => fresh(page), (cards) => cards.join() === "gone,stale,stale,stale");
    const card = await at(page, "server-1").textContent();
    assert(card.includes("down") && card.includes("its memory is gone"), `the dead server's card says ${card}`);
    assert((await at(page, "capsule").count()) === 0, "something is on its way although all is over");
    assert((await text(page, "narration")).includes("a newer version was committed"), await text(page, "narration"));
    await shot(page, "lost-invalidation-crash");
  });
  await check("the silence limit cures the first half, and the outbox the second, under the fault", async () => {
    await at(page, "step-hold").click();
    await at(page, "switch-sequence-numbers").click();
    await at(page, "switch-silence-limit").click();
    await verdict(page, "1 of 4");
    await green(page, 0);
    await at(page, "switch-outbox").click();
    await verdict(page, "Green");
    await green(page, 200);
    assert((await text(page, "fault")).includes("srv-1 killed"), "the fault is over where the green is looked at");
    assert((await fresh(page)).join() === "gone,fresh,fresh,fresh", `the cards are ${await fresh(page)}`);
  });
  await check("no error in the lost invalidation's console", () => assert(errors.length === 0, errors.join("\n")));
  await close();
}

async function staleSetRace({ browser, url }) {
  const { page, errors, close } = await openPage(browser, url, { progress: SOLVED, hash: "#stale-set-race/fail" });
  await check("the stale-set race holds the primary's answer back, and lets it go after the write", async () => {
    await failure(page, "client-2 gets 50 (v1)");
    const row = (what) => page.locator(".log .ev", { hasText: what }).first();
    await at(page, "tab-events").click();
    await page.locator("#event-filter").fill("fault");
    await row("held back").click();
    await until("the fault", () => text(page, "fault"), (told) => told.includes("pg-primary to srv-2 held back"));
    await page.keyboard.press("Escape");
    await at(page, "to-end").click();
    await until("no fault", () => at(page, "fault").count(), (count) => count === 0);
  });
  await check("guarded fills keep the old row out for 200 of 200 seeds", async () => {
    await at(page, "step-hold").click();
    await at(page, "switch-guarded-fills").click();
    await verdict(page, "Green");
    await green(page, 200);
  });
  await check("no error in the race's console", () => assert(errors.length === 0, errors.join("\n")));
  await close();
}

async function absentAndZero({ browser, url }) {
  for (const [lang, none] of [["en-US", "no row"], ["ja-JP", "行なし"]]) {
    const { page, errors, close } = await openPage(browser, url, { lang, progress: SOLVED, hash: "#absent-and-zero/fail" });
    await check(`${lang}: the failing line is about the row on the stage, whose absence is read whole`, async () => {
      await failure(page, "product:8");
      const boxes = await page.locator('[data-testid="server-1"]').evaluate((card) => {
        const box = (element) => element.getBoundingClientRect();
        const [value, version, ring] = [".val", "rect.ver", ".ring-bg"].map((part) => card.querySelector(part));
        return { said: value.textContent, value: box(value), version: box(version), ring: box(ring) };
      });
      assert(boxes.said === none, `the card says ${boxes.said}`);
      assert(boxes.value.right <= boxes.version.left + 1, "the version lies on the value");
      assert(boxes.version.right < boxes.ring.left, "the version lies on the ring");
    });
    await check(`${lang}: no error in its console`, () => assert(errors.length === 0, errors.join("\n")));
    await close();
  }
}

export const freshness = async (lab) => {
  await lostInvalidation(lab);
  await staleSetRace(lab);
  await absentAndZero(lab);
};
