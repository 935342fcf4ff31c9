// The question of a lesson, the title of the page, and what belongs to one run only.

import { assert, check, until } from "../lib/check.mjs";
import { SOLVED, at, openPage, shot, text } from "../lib/page.mjs";

export async function question({ browser, url }) {
  await check("who goes on without a prediction earns no red mark, and finds the question closed", async () => {
    const { page, errors, close } = await openPage(browser, url);
    await at(page, "veil").waitFor();
    await at(page, "answer-none").check({ force: true });
    await page.keyboard.press("2");
    await until("the verdict", () => text(page, "run-verdict"), (verdict) => verdict.includes("Red"));
    assert((await page.locator('[data-testid="lesson-invalidation-delay"] .k-red').count()) === 0, "it is marked red");
    await page.keyboard.press("1");
    await at(page, "skipped").waitFor();
    assert((await at(page, "veil").count()) === 0, "what was seen is hidden again");
    assert((await at(page, "reveal-button").count()) === 0, "it can still be answered");
    assert(await at(page, "answer-none").isDisabled(), "an answer can still be picked");
    assert((await page.locator(".opt.right").count()) === 1, "what happened is not marked");
    await shot(page, "question-closed");
    const kept = await page.evaluate(() => JSON.parse(localStorage.getItem("cache-lab-progress") ?? "{}"));
    assert(!kept["invalidation-delay"]?.mark && kept["invalidation-delay"]?.guess == null, JSON.stringify(kept));
    assert(errors.length === 0, errors.join("\n"));
    await close();
  });

  const { page, close } = await openPage(browser, url, { progress: SOLVED, hash: "#invalidation-delay/fail" });
  await check("the title of the page names step and lesson, in its language", async () => {
    const title = (wanted) => until("the title", () => page.title(), (told) => told === wanted);
    await title("See it fail · Invalidation delay · Cache Lab");
    await at(page, "step-hold").click();
    await title("Make it hold · Invalidation delay · Cache Lab");
    await at(page, "lesson-stampede-lock").click();
    await title("Predict · Stampede lock · Cache Lab");
    await at(page, "lang-ja").click();
    await title("予想する · スタンピードとロック · Cache Lab");
    await at(page, "lang-en").click();
  });

  await check("“Only its causes” says how many of how many events are shown, and goes with its run", async () => {
    await page.evaluate(() => (location.hash = "#invalidation-delay/fail"));
    await at(page, "only-causes").click();
    const count = () => text(page, "events-count");
    await until("the count", count, (told) => / · \d+ of \d+ shown$/.test(told));
    const [few, all] = (await count()).match(/(\d+) of (\d+)/).slice(1).map(Number);
    assert(few > 1 && few < all, await count());
    await page.keyboard.press("p");
    await until("the count of another event", count, (told) => / · \d+ of \d+ shown$/.test(told));
    await at(page, "tab-policy").click();
    await at(page, "preset-acknowledged").click();
    await at(page, "tab-events").click();
    await until("the new run", count, (told) => / · \d+ events$/.test(told));
  });
  await close();
}
