// A run on real servers, started from the page.

import { assert, check, until } from "../lib/check.mjs";
import { SOLVED, at, openPage, shot, text } from "../lib/page.mjs";
import { serveLab } from "../lib/serve.mjs";

export async function realCluster({ browser, lab }) {
  const served = await serveLab(lab);
  try {
    const { page, errors, close } = await openPage(browser, served.url, {
      hash: "#invalidation-delay/real?policy=lesson&seed=1",
      progress: { "invalidation-delay": { mark: "red", guess: 1 } },
    });
    await check("Stop takes effect while the run is still being asked for, and nothing of that run comes later", async () => {
      let answer;
      const held = new Promise((release) => (answer = release));
      await page.route("**/api/runs", async (route) => {
        await held;
        await route.continue();
      });
      await at(page, "run-real").click();
      await at(page, "stop-real").click();
      await at(page, "run-real").waitFor();
      const streams = [];
      page.on("request", (request) => request.url().includes("/events") && streams.push(request.url()));
      const asked = page.waitForResponse("**/api/runs");
      const givenUp = page.waitForRequest((request) => request.method() === "DELETE");
      answer();
      const { id } = await (await asked).json();
      assert((await givenUp).url().endsWith(`/api/runs/${id}`), `${(await givenUp).url()} is given up, not run ${id}`);
      await until("the run that was given up", () => page.evaluate(
        (id) => fetch(`/api/runs/${id}`).then((run) => run.json()).then((run) => run.problem?.type), id,
      ), (type) => type === "urn:cache-lab:problem:given-up");
      await page.unroute("**/api/runs");
      // Whatever the page does with that answer, it has done before another question is answered.
      await page.evaluate(() => fetch("/api/health").then((health) => health.text()));
      assert(streams.length === 0, `the stopped run is followed: ${streams}`);
      await at(page, "stopped").waitFor();
    });
    await check("a server that is lost during a run is told, and its half run is dropped", async () => {
      const other = await serveLab(lab);
      const lost = await openPage(browser, other.url, { hash: "#stampede-lock/real?policy=lock&compute-ms=2000", progress: SOLVED });
      try {
        await at(lost.page, "run-real").click();
        await until("the recording", () => text(lost.page, "real"), (told) => /Recording, [1-9]/.test(told));
      } finally {
        await other.crash();
      }
      await until("the box", () => text(lost.page, "real"), (told) => told.includes("The lab server was lost"));
      assert((await at(lost.page, "run-verdict").count()) === 0, "half a run is shown");
      await shot(lost.page, "real-lost");
      await lost.close();
    });
    await check("a run on real servers is recorded, replayed in the same view, and set beside the simulator", async () => {
      await at(page, "run-real").click();
      const verdict = page.locator('[data-testid="run-verdict"], [data-testid="real"] .err');
      const told = await until("the verdict", () => verdict.allInnerTexts(), (texts) => texts.length > 0);
      assert(!told.some((line) => line.includes("did not come to an end")), await text(page, "real"));
      assert((await text(page, "run-verdict")).includes("Red on real"), await text(page, "run-verdict"));
      assert((await text(page, "comparison")).includes("All checks agree"), await text(page, "comparison"));
      await page.keyboard.press("Home");
      await page.keyboard.press("n");
      assert((await text(page, "narration")).includes("50 (v1)"), await text(page, "narration"));
      await shot(page, "real-recorded");
    });
    await check("no error in the console of the real run", () => assert(errors.length === 0, errors.join("\n")));
    await close();
  } finally {
    await served.close();
  }
}
