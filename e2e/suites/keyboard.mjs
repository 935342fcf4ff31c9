// The way through the page without a mouse: where the focus goes, where Tab stops, what Space does.

import { assert, check, until } from "../lib/check.mjs";
import { LESSONS, SOLVED, at, eventNumber, openPage, text } from "../lib/page.mjs";

/** What has the focus, in a few words. */
const focused = (page) =>
  page.evaluate(() => {
    const own = document.activeElement;
    const kind = ["log", "soon", "skip", "ch", "ev"].find((name) => own.classList.contains(name));
    return { tag: own.tagName, kind, testid: own.dataset.testid, text: own.textContent.trim().slice(0, 60) };
  });

/** Every stop of Tab, from the first to the last. */
async function stops(page) {
  await at(page, "skip").focus();
  const seen = [await focused(page)];
  for (let press = 0; press < 150; press += 1) {
    await page.keyboard.press("Tab");
    const now = await focused(page);
    if (now.tag === "BODY") return seen;
    seen.push(now);
  }
  throw new Error(`Tab does not come to an end: ${JSON.stringify(seen.slice(-3))}`);
}

const isPlaying = async (page) => (await at(page, "play").getAttribute("aria-label")) === "Pause";

async function focusFollows(page) {
  await check("the focus goes to the panel's heading with each step and lesson, and Space plays", async () => {
    for (const step of ["fail", "step", "hold", "predict", "real", "step"]) {
      await at(page, `step-${step}`).click();
      const heading = await until(`the heading of ${step}`, () => focused(page), ({ tag }) => tag === "H2");
      assert(heading.text === (await page.locator("#pane h2").first().innerText()), `the focus is on ${heading.text}`);
    }
    await page.keyboard.press("Home");
    await page.keyboard.press("Space");
    await until("the time", () => isPlaying(page), Boolean);
    await page.keyboard.press("Space");
    await until("the stop", () => isPlaying(page), (playing) => !playing);
    await at(page, "lesson-stampede-lock").click();
    await until("the lesson", () => focused(page), (own) => own.tag === "H2" && own.text === "Stampede lock");
    await at(page, "lesson-invalidation-delay").click();
  });

  await check("Space plays after a click on the transport, and presses the button to which Tab led", async () => {
    await at(page, "step-step").click();
    await page.keyboard.press("Home");
    await at(page, "step").click();
    await page.keyboard.press("Space");
    await until("the time", () => isPlaying(page), Boolean);
    await page.keyboard.press("Space");
    await until("the stop", () => isPlaying(page), (playing) => !playing);
    await page.keyboard.press("Home");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Tab");
    assert((await focused(page)).testid === "step", JSON.stringify(await focused(page)));
    const before = await eventNumber(page);
    await page.keyboard.press("Space");
    await until("the step", () => eventNumber(page), (event) => event === before + 1);
    assert(!(await isPlaying(page)), "Space plays although a button has the focus");
  });
}

async function oneStopEach(page) {
  await check("the list of events, the tabs and the lessons to come are one stop of Tab each", async () => {
    await at(page, "tab-events").click();
    await page.locator(".log .ev").first().waitFor();
    const all = await stops(page);
    const of = (wanted) => all.filter(({ kind }) => kind === wanted).length;
    assert(of("log") === 1 && of("ev") === 0, `${of("log")} stops at the list, ${of("ev")} in it`);
    assert(of("soon") === 1, `${of("soon")} stops at lessons to come`);
    assert(of("ch") === LESSONS.length, `${of("ch")} stops at ${LESSONS.length} lessons`);
    const tabs = all.filter(({ testid }) => testid?.startsWith("tab-"));
    assert(tabs.length === 1, `${tabs.length} stops at tabs`);
  });

  await check("arrows go through the list of events, the tabs and the lessons", async () => {
    await page.locator(".log").focus();
    const before = await eventNumber(page);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await until("two rows on", () => eventNumber(page), (event) => event === before + 2);
    const active = await page.locator(".log").getAttribute("aria-activedescendant");
    const row = page.locator(`#${active}[role=option][aria-selected=true]`);
    assert((await row.count()) === 1, `${active} is not the row that is chosen`);
    await page.keyboard.press("End");
    await until("the last row", () => text(page, "event-count"), (count) => /^event ([\d,]+) of \1$/.test(count.trim()));
    await at(page, "tab-events").focus();
    await page.keyboard.press("ArrowRight");
    await until("the first tab", () => focused(page), ({ testid }) => testid === "tab-story");
    await page.keyboard.press("ArrowLeft");
    await until("the last tab", () => focused(page), ({ testid }) => testid === "tab-events");
    await at(page, "lesson-invalidation-delay").focus();
    for (let press = 0; press < 14; press += 1) await page.keyboard.press("ArrowDown");
    await until("the last lesson", () => focused(page), ({ testid }) => testid === "lesson-absent-and-zero");
  });

  await check("the first stop of Tab skips to the lesson", async () => {
    await page.reload();
    await at(page, "stage").waitFor();
    await page.keyboard.press("Tab");
    assert((await focused(page)).testid === "skip", JSON.stringify(await focused(page)));
    const box = await at(page, "skip").boundingBox();
    assert(box.x >= 0 && box.y >= 0 && box.height >= 24, `it is out of view: ${JSON.stringify(box)}`);
    await page.keyboard.press("Enter");
    await until("the lesson", () => focused(page), ({ tag }) => tag === "MAIN");
  });

  await check("there is one first heading, and it names the lesson", async () => {
    const headings = await page.locator("h1").allInnerTexts();
    assert(headings.length === 1 && headings[0] === "Invalidation delay", headings.join("; "));
  });
}

async function keysHoldTheFocus(page) {
  await check("the list of keys holds the focus, and gives it back when Escape closes it", async () => {
    await at(page, "step").focus();
    await page.keyboard.press("?");
    await at(page, "keys").waitFor();
    for (let press = 0; press < 4; press += 1) {
      const inside = await page.evaluate(() => document.activeElement.closest("dialog") !== null || document.activeElement === document.body);
      assert(inside, `the focus is on ${JSON.stringify(await focused(page))}`);
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Escape");
    await at(page, "keys").waitFor({ state: "detached" });
    await until("the focus", () => focused(page), ({ testid }) => testid === "step");
  });
}

export async function keyboard({ browser, url }) {
  const { page, errors, close } = await openPage(browser, url, { progress: SOLVED, hash: "#invalidation-delay/predict" });
  await at(page, "stage").waitFor();
  await focusFollows(page);
  await oneStopEach(page);
  await keysHoldTheFocus(page);
  await check("no error in the console of the keys", () => assert(errors.length === 0, errors.join("\n")));
  await close();
}
