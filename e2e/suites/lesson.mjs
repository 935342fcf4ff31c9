// A person's way through the first lesson, from the question to the real cluster.

import { assert, check, until } from "../lib/check.mjs";
import { at, eventNumber, openPage, shot, text } from "../lib/page.mjs";

export async function invalidationDelay({ browser, url }) {
  const { page, errors, close } = await openPage(browser, url);

  await check("the lab opens with the first lesson, its future veiled", async () => {
    await at(page, "stage").waitFor();
    await at(page, "veil").waitFor();
    assert((await text(page, "run-verdict")).includes("Not run yet"), "a verdict is shown before the prediction");
    assert(/^event \d+$/.test((await text(page, "event-count")).trim()), `the length is told: ${await text(page, "event-count")}`);
    const drawn = await at(page, "timeline").evaluate((timeline) => timeline.textContent);
    assert(!/folded|\+\d|acknowledged/.test(drawn), `the timeline gives the answer away: ${drawn}`);
    for (const [tab, secret] of [["test", "go-to-violation"], ["policy", "verdict"], ["policy", "cost"]]) {
      await at(page, `tab-${tab}`).click();
      assert((await at(page, secret).count()) === 0, `the ${tab} panel gives the answer away (${secret})`);
    }
    await at(page, "tab-story").click();
    await shot(page, "predict");
  });

  await check("the veil cannot be stepped through", async () => {
    // While a tab has the focus, these keys go through the tabs.
    await page.evaluate(() => document.activeElement?.blur());
    const veil = await eventNumber(page);
    const key = (name) => () => page.keyboard.press(name);
    const event = (what, wanted) => until(what, () => eventNumber(page), wanted);
    for (const toTheEnd of [key("End"), () => at(page, "to-end").click()]) {
      await key("Home")();
      await event("the first event", (number) => number === 1);
      await toTheEnd();
      const end = await event("the end", (number) => number !== 1);
      assert(end === veil, `the hidden part of the run was shown: event ${end}`);
    }
    for (const on of [key("ArrowRight"), () => at(page, "step").click()]) {
      await on();
      await key("ArrowLeft")();
      const back = await event("a step back", (number) => number !== veil);
      assert(back === veil - 1, `the hidden part of the run was shown: event ${back}`);
      await key("ArrowRight")();
      await event("the veil", (number) => number === veil);
    }
  });

  await check("a prediction plays the run to its first violation, and the test fails there", async () => {
    await at(page, "answer-some").check({ force: true });
    await at(page, "reveal-button").click();
    await until("the verdict", () => text(page, "run-verdict"), (verdict) => verdict.includes("Red"));
    await at(page, "failing-line").waitFor();
    assert((await text(page, "failure")).includes("at most 0"), "the failing line does not say what was wanted");
    assert((await text(page, "banner")).includes("should fail"), "the banner is missing");
    assert((await page.locator('[data-testid="server-3"][data-fresh="stale"]').count()) === 1, "server 3 is not stale");
    await shot(page, "red");
  });

  await check("the answer is kept and shown beside what happened", async () => {
    await at(page, "tab-story").click();
    await at(page, "reveal").waitFor();
    const told = await text(page, "story");
    assert(told.includes("Your guess") && told.includes("What happened"), `the story says: ${told}`);
    await shot(page, "story-reveal");
  });

  await check("stepping back and forth comes back to the same event, stage and sentence", async () => {
    await at(page, "step-step").click();
    const picture = () => page.locator(".server").evaluateAll((cards) => cards.map((card) => card.textContent));
    const before = [await eventNumber(page), await text(page, "narration"), await picture()];
    for (let step = 0; step < 12; step += 1) await page.keyboard.press("ArrowLeft");
    await until("twelve events back", () => eventNumber(page), (number) => number === before[0] - 12);
    for (let step = 0; step < 12; step += 1) await page.keyboard.press("ArrowRight");
    await until("twelve events on", () => eventNumber(page), (number) => number === before[0]);
    const after = [await eventNumber(page), await text(page, "narration"), await picture()];
    assert(JSON.stringify(after) === JSON.stringify(before), `${JSON.stringify(after)} is not ${JSON.stringify(before)}`);
  });

  await check("the space-time diagram says that nothing could have told the server of the commit", async () => {
    await page.keyboard.press("l");
    const caption = await at(page, "past-caption").textContent();
    assert(caption.startsWith("No chain of messages leads from the commit of v2"), `the caption says: ${caption}`);
    await shot(page, "space-time");
    await at(page, "view-lanes").click();
    await until("the caption", () => at(page, "past-caption").count(), (count) => count === 0);
  });

  await check("the Code panel highlights a line of the cache, and another one for another request", async () => {
    const options = await at(page, "follow").locator("option").evaluateAll((all) =>
      all.map((option) => ({ value: option.value, text: option.textContent })),
    );
    const places = new Set();
    for (const wanted of ["write", "read"]) {
      const option = options.find((one) => one.text.includes(` ${wanted} `));
      assert(option, `no ${wanted} can be followed`);
      await at(page, "follow").selectOption(option.value);
      await at(page, "current-line").waitFor();
      const file = await page.locator('[data-testid="code"] .path').innerText();
      assert(file.startsWith("lab-core/src/"), `the file is ${file}`);
      places.add(`${file}:${await at(page, "current-line").getAttribute("data-line")}`);
    }
    assert(places.size === 2, `both requests are at ${[...places]}`);
    await at(page, "follow").selectOption("");
  });

  await check("the highlighted line moves while the write is stepped through", async () => {
    const places = new Set();
    for (let step = 0; step < 40; step += 1) {
      await page.keyboard.press("ArrowLeft");
      const line = at(page, "current-line");
      if ((await line.count()) > 0) places.add(await line.getAttribute("data-line"));
      if (step === 20) await shot(page, "step");
    }
    assert(places.size >= 4, `only the lines ${[...places]} were seen`);
  });

  await check("acknowledged invalidation holds for 200 of 200 seeds", async () => {
    await at(page, "step-hold").click();
    await at(page, "switch-acknowledged-invalidation").click();
    await until("the verdict", () => text(page, "verdict-count"), (count) => /^200 \/ 200$/.test(count.trim()));
    await until("the run", () => text(page, "run-verdict"), (verdict) => verdict.includes("Green"));
    await until("the mark", () => page.locator('[data-testid="lesson-invalidation-delay"] .k-green').count(), (n) => n > 0);
    assert(page.workers().length === 1, "the verdict was not computed in a worker");
    await shot(page, "green");
  });

  await check("a wrong fix is red, and a red seed opens its very run", async () => {
    await at(page, "preset-short-ttl").click();
    await at(page, "open-red").waitFor();
    // The seed in view may be the red one that is opened: then another one is shown before.
    await page.evaluate(() => (location.hash = location.hash.replace(/seed=\d+/, "seed=7").replace(/&at=.*/, "")));
    await until("the other seed", () => page.locator(".seed").innerText(), (told) => told === "seed 7");
    const red = (await until("the red seed", () => text(page, "open-red"), (told) => /\d/.test(told))).match(/\d+/)[0];
    assert(red !== "7", "the other seed is the first red one");
    await at(page, "open-red").click();
    await until("the seed", () => page.locator(".seed").innerText(), (told) => told === `seed ${red}`);
    await until("the address", async () => page.url(), (address) => new RegExp(`policy=short-ttl&seed=${red}\\b`).test(address));
    await until("the run", () => text(page, "run-verdict"), (verdict) => verdict.includes("Red"));
  });

  await check("the back button goes back to the policy before", async () => {
    const acknowledged = at(page, "switch-acknowledged-invalidation");
    assert((await acknowledged.getAttribute("aria-checked")) === "false", "the policy is still the one before");
    for (let back = 0; back < 3 && !page.url().includes("acknowledged"); back += 1) await page.goBack();
    await until("the policy", () => acknowledged.getAttribute("aria-checked"), (on) => on === "true");
  });

  await check("the events can be filtered, and one of them chosen", async () => {
    await page.keyboard.press("/");
    await page.locator("#event-filter").fill("invalidate");
    // The list draws only the rows in view: how many they are says nothing of the filter.
    const words = () => page.locator(".log .ev em").allInnerTexts();
    await until("the rows", words, (all) => all.length > 1 && all.every((word) => word === "INVALIDATE"));
    const row = page.locator(".log .ev").nth(1);
    const index = Number((await row.getAttribute("id")).replace("event-", ""));
    await row.click();
    await until("the event", () => eventNumber(page), (number) => number === index + 1);
    assert(/invalidat/i.test(await text(page, "narration")), await text(page, "narration"));
  });

  await check("without a server the real cluster says how to start one", async () => {
    await at(page, "world-real").click();
    const told = await until("the box", () => text(page, "real"), (told) => !told.includes("Looking"));
    assert(told.includes("cargo xtask serve") || told.includes("Run on the real cluster"), told);
    await shot(page, "real");
  });

  await check("nothing went wrong in the console", () => assert(errors.length === 0, errors.join("\n")));
  await close();
}
