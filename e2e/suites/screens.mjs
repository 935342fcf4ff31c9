// How the page looks: on wide and narrow screens, in both themes and both languages.

import { assert, check, until } from "../lib/check.mjs";
import { collisions, misfits, nameless } from "../lib/looks.mjs";
import { LESSONS, at, eventNumber, openPage, shot, text } from "../lib/page.mjs";

export async function capsulesKeepClear({ browser, url }) {
  const hashes = LESSONS.map((lesson) => `#${lesson}/step`);
  for (const [width, height] of [[1440, 900], [390, 844]]) {
    for (const hash of hashes) {
      const opened = await openPage(browser, url, {
        width, height, hash, still: true, progress: { [hash.slice(1).split("/")[0]]: { mark: "red", guess: 1 } },
      });
      await check(`${width}: no message covers words on the way through ${hash}`, async () => {
        await at(opened.page, "stage").waitFor();
        await until("the events", () => eventNumber(opened.page).catch(() => 0), (number) => number > 1);
        const wrong = new Set();
        for (let step = 0; step < 60; step += 1) {
          await opened.page.keyboard.press("ArrowRight");
          for (const one of await collisions(opened.page)) wrong.add(`event ${await eventNumber(opened.page)}: ${one}`);
        }
        assert(wrong.size === 0, [...wrong].slice(0, 5).join("; "));
      });
      await opened.close();
    }
  }
}

/** Waits until an element is whole in view, between the bars that stand still. */
async function onScreen(page, element, height) {
  const bar = (name) => page.locator(name).evaluate((bar) => (getComputedStyle(bar).position === "static" ? 0 : bar.offsetHeight));
  const [top, bottom] = [await bar(".top"), await bar(".trans")];
  const within = (box) => box && box.y >= top - 1 && box.y + box.height <= height - bottom + 1;
  await until("what must be in view", () => element.boundingBox(), within);
}

export async function narrowScreens({ browser, url }) {
  const progress = { "invalidation-delay": { mark: "red", guess: 1 } };
  for (const [width, height] of [[800, 900], [390, 844]]) {
    const opened = await openPage(browser, url, { width, height, progress, hash: "#invalidation-delay/fail" });
    const { page } = opened;
    await check(`${width}: verdict, failing check, marks and tabs are on the first screen; the rest is a press away`, async () => {
      await at(page, "check-no-stale-read").waitFor();
      for (const id of ["run-verdict", "check-no-stale-read", "tab-test"]) await onScreen(page, at(page, id), height);
      assert((await at(page, "mark-bad").count()) > 0, "no failed answer is marked on the scrubber");
      assert(!(await at(page, "check-all-answered").isVisible()), "the results did not collapse");
      await at(page, "results-more").click();
      await at(page, "check-all-answered").waitFor();
    });
    await check(`${width}: the line that fails, and what it saw, are on the screen`, async () => {
      await at(page, "failure").waitFor();
      await page.evaluate(() => scrollTo(0, 0));
      await at(page, "step-predict").click();
      await at(page, "step-fail").click();
      await onScreen(page, at(page, "failure"), height);
    });
    await check(`${width}: the menu opens the course, with its titles`, async () => {
      await at(page, "menu").click();
      await page.locator(".rail.open .tt", { hasText: "Thundering herd" }).waitFor();
      await page.keyboard.press("Escape");
      await page.locator(".rail.open").waitFor({ state: "detached" });
    });
    await opened.close();

    const first = await openPage(browser, url, { width, height });
    await check(`${width}: the question is on the screen; the stage is while it plays, and then the failure`, async () => {
      await onScreen(first.page, first.page.locator("#ask"), height);
      await at(first.page, "answer-some").check({ force: true });
      await at(first.page, "reveal-button").click();
      await onScreen(first.page, at(first.page, "narration"), height);
      await onScreen(first.page, at(first.page, "failure"), height);
      assert(first.errors.length === 0, first.errors.join("\n"));
    });
    await first.close();
  }
}

export async function pictures({ browser, url }) {
  const progress = { "invalidation-delay": { mark: "red", guess: 1 } };
  const sizes = [[1440, 900], [1280, 720], [1100, 800], [800, 900], [390, 844]];
  for (const [width, height] of sizes) {
    for (const lang of ["en-US", "ja-JP"]) {
      for (const dark of [false, true]) {
        const name = `lab-${width}x${height}-${lang.slice(0, 2)}-${dark ? "dark" : "light"}`;
        const opened = await openPage(browser, url, { width, height, lang, dark, progress, hash: "#invalidation-delay/fail" });
        await check(`${name}: nothing sticks out, nothing is cut`, async () => {
          await at(opened.page, "stage").waitFor();
          await at(opened.page, "failing-line").waitFor({ state: "attached" });
          await shot(opened.page, name);
          const wrong = [...(await misfits(opened.page)), ...(await nameless(opened.page))];
          assert(wrong.length === 0, wrong.join("; "));
          const japanese = /[\u3040-\u30ff]/.test(await text(opened.page, "narration"));
          assert(japanese === (lang === "ja-JP"), `the narration is: ${await text(opened.page, "narration")}`);
          assert(opened.errors.length === 0, opened.errors.join("\n"));
        });
        await opened.close();
      }
    }
  }
}
