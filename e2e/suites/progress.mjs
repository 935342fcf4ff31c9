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
    assert((await kept())["invalidation-delay"].mark === "red", "a bad file took progress away");
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
      await tab.keyboard.press("2");
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
    assert(both["stampede-lock"].mark === "red", `the second tab's mark is gone: ${JSON.stringify(both)}`);
    for (const slug of Object.keys(stored)) {
      assert(JSON.stringify(both[slug]) === JSON.stringify(stored[slug]), `${slug}: ${JSON.stringify(both)}`);
    }
    assert(errors.length === 0, errors.join("\n"));
    await close();
  });
}
