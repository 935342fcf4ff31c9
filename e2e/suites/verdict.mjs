// The verdict over many seeds: what it says when its worker is gone, and what counts as neither red nor green.

import { assert, check, until } from "../lib/check.mjs";
import { SOLVED, at, openPage, shot, text } from "../lib/page.mjs";

/** A herd small enough for a verdict in seconds, and large enough that it is not over at once. */
const VERDICT = "#thundering-herd/hold?policy=lease&seed=3&clients=300";
const WHOLE = (count) => /^200 \/ 200$/.test(count.trim());

export async function deadWorkers({ browser, url }) {
  await check("a verdict whose worker is gone goes on in the page to its last seed", async () => {
    const opened = await openPage(browser, url, {
      hash: VERDICT,
      progress: SOLVED,
      before: () => {
        // The third message of the first worker is its last: it is ended as a browser short of memory ends one.
        let hired = 0;
        const Hired = window.Worker;
        window.Worker = class extends Hired {
          constructor(...how) {
            super(...how);
            let heard = 0;
            const mortal = (hired += 1) === 1;
            this.addEventListener("message", () => mortal && (heard += 1) === 3 && this.terminate());
          }
        };
      },
    });
    const { page } = opened;
    await at(page, "on-page").waitFor();
    await until("the verdict", () => text(page, "verdict-count"), WHOLE);
    assert((await at(page, "verdict-failure").count()) === 0, "it is told as failed");
    assert(opened.errors.length === 0, opened.errors.join("\n"));
    await opened.close();
  });

  await check("a verdict whose worker breaks off says so, and Retry keeps the seed", async () => {
    const { page, close } = await openPage(browser, url, { hash: VERDICT, progress: SOLVED });
    await until("some seeds", () => text(page, "verdict-count"), (count) => !count.startsWith("0 "));
    await page.workers()[0].evaluate(() => setTimeout(() => { throw new Error("the seed broke it"); }));
    await at(page, "verdict-failure").waitFor();
    assert((await text(page, "verdict-failure")).includes("the seed broke it"), await text(page, "verdict-failure"));
    await at(page, "try-seeds").click();
    await until("the verdict", () => text(page, "verdict-count"), WHOLE);
    assert(page.url().includes("seed=3"), page.url());
    await close();
  });
}

export async function unshownSeeds({ browser, url }) {
  await check("seeds under which the situation does not arise make no lesson green, and are told", async () => {
    const { page, close } = await openPage(browser, url, {
      hash: "#invalidation-delay/hold?policy=+acknowledged-invalidation+strong-reads",
      progress: SOLVED,
    });
    await until("the seeds", () => at(page, "unshown").allInnerTexts(), ([told]) => told?.includes("200"));
    assert((await text(page, "verdict-count")).startsWith("0 /"), await text(page, "verdict-count"));
    const green = page.locator('[data-testid="lesson-invalidation-delay"] .k-green');
    assert((await green.count()) === 0, "the lesson is marked green");
    await shot(page, "verdict-unshown");
    await close();
  });
}
