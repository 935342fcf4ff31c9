// What the learner has done: as a file, and kept in the browser.

import { assert, check, until } from "../lib/check.mjs";
import { SOLVED, at, chosen, openPage, shot } from "../lib/page.mjs";

export async function progressFiles({ browser, url }) {
  const { page, errors, close } = await openPage(browser, url, { hash: "#stampede-lock/fail", progress: SOLVED });
  const kept = () => page.evaluate(() => JSON.parse(localStorage.getItem("cache-lab-progress")));
  const take = (content) => at(page, "progress-import").setInputFiles(chosen("progress.json", content));
  await check("progress is exported, forgotten and imported again; a bad file changes nothing", async () => {
    await until("the mark", kept, (progress) => progress["stampede-lock"].mark === "red");
    await page.locator('[data-testid="progress-menu"] summary').click();
    const link = await at(page, "progress-export").getAttribute("href");
    const exported = decodeURIComponent(link.slice(link.indexOf(",") + 1));
    assert(JSON.parse(exported).lessons["thundering-herd"].guess === 1, exported);
    await take(exported.replace('"red"', '"won"'));
    await at(page, "progress-refused").waitFor();
    assert((await kept())["invalidation-delay"]?.mark === "red", "a bad file took progress away");
    await shot(page, "progress");
    await at(page, "progress-reset").click();
    await at(page, "progress-forget").click();
    await until("the progress", kept, (progress) => Object.keys(progress).length === 0);
    await take(exported);
    await until("the progress", kept, (progress) => progress["invalidation-delay"]?.mark === "red");
    assert((await at(page, "progress-refused").count()) === 0, "the refusal of another file still stands there");
  });
  await check("no error in the console of progress", () => assert(errors.length === 0, errors.join("\n")));
  await close();
}

export async function keptProgress({ browser, url }) {
  await check("two tabs add to one progress, and what neither can read stays in it", async () => {
    const { page, errors, close } = await openPage(browser, url);
    const kept = () => page.evaluate(() => JSON.parse(localStorage.getItem("cache-lab-progress")));
    const seeItFail = async (tab) => {
      await at(tab, "run-verdict").waitFor();
      await at(tab, "story").locator("input").first().check({ force: true });
      await at(tab, "reveal-button").click();
      await until("the failure", () => tab.locator(".verd").innerText(), (verdict) => verdict.includes("Red"));
    };
    await at(page, "run-verdict").waitFor();
    const stored = { "thundering-herd": { guess: null, mark: "won" }, "split-brain": { mark: "red" } };
    await page.evaluate((told) => localStorage.setItem("cache-lab-progress", JSON.stringify(told)), stored);
    const second = await page.context().newPage();
    await second.goto(`${url}/#stampede-lock`);
    await seeItFail(second);
    await until("the second tab's mark", kept, (progress) => progress["stampede-lock"]?.mark === "red");
    await page.bringToFront();
    await seeItFail(page);
    await until("the first tab's mark", kept, (progress) => progress["invalidation-delay"]?.mark === "red");
    const both = await kept();
    assert(both["stampede-lock"]?.mark === "red", `the second tab's mark is gone: ${JSON.stringify(both)}`);
    for (const slug of Object.keys(stored)) {
      assert(JSON.stringify(both[slug]) === JSON.stringify(stored[slug]), `${slug}: ${JSON.stringify(both)}`);
    }
    assert(errors.length === 0, errors.join("\n"));
    await close();
  });
}

/** Ways in which a browser keeps nothing, each a script that runs before the page. */
const FORGETFUL = {
  full: () => {
    Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
  },
  blocked: () => {
    Object.defineProperty(window, "localStorage", { get: () => { throw new DOMException("blocked", "SecurityError"); } });
  },
};
const told = (page) => at(page, "notice").allInnerTexts().then((texts) => texts.join().split("does not keep").length - 1);

/** Answers the question of the lesson that is shown. */
async function answer(page) {
  await at(page, "story").locator("input").first().check({ force: true });
  await at(page, "reveal-button").click();
}

export async function storageThatFails({ browser, url }) {
  for (const [name, before] of Object.entries(FORGETFUL)) {
    await check(`storage that is ${name} is told once, and the lab goes on`, async () => {
      const { page, errors, close } = await openPage(browser, url, { before });
      await at(page, "veil").waitFor();
      assert((await told(page)) === 0, "it is told before there is anything to keep");
      await answer(page);
      await until("the words", () => told(page), (times) => times === 1);
      await shot(page, `storage-${name}`);
      await at(page, "dismiss").click();
      await at(page, "lesson-stampede-lock").click();
      await at(page, "veil").waitFor();
      await answer(page);
      await until("the mark", () => page.locator('[data-testid="lesson-stampede-lock"] .k-red').count(), (n) => n === 1);
      assert((await told(page)) === 0, "it is told again");
      assert(errors.length === 0, errors.join("\n"));
      await close();
    });
  }

  await check("what is no progress is put aside, and is left where it stands when it cannot be", async () => {
    const rubbish = () => localStorage.getItem("cache-lab-progress") ?? localStorage.setItem("cache-lab-progress", "dear, not JSON");
    const narrow = () => {
      const kept = Storage.prototype.setItem;
      Storage.prototype.setItem = function (name, value) {
        if (name.endsWith("unreadable")) throw new DOMException("full", "QuotaExceededError");
        return kept.call(this, name, value);
      };
    };
    for (const [before, stands, aside, times] of [
      [[rubbish], /^{.*"guess":0/, "dear, not JSON", 0],
      [[rubbish, narrow], /^dear, not JSON$/, null, 1],
    ]) {
      const { page, close } = await openPage(browser, url, { before: `(${before.join(")();(")})()` });
      await at(page, "veil").waitFor();
      await answer(page);
      const item = (name) => page.evaluate((name) => localStorage.getItem(name), name);
      await until("the red mark", () => page.locator('[data-testid="lesson-invalidation-delay"] .k-red').count(), (n) => n === 1);
      assert(stands.test(await item("cache-lab-progress")), `what stands there: ${await item("cache-lab-progress")}`);
      assert((await item("cache-lab-progress-unreadable")) === aside, "what was put aside is something else");
      assert((await told(page)) === times, `it is told ${await told(page)} times`);
      await close();
    }
  });
}
