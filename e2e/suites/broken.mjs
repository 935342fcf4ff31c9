// A lab that breaks after its start, and what keeps it from breaking.

import { assert, check, until } from "../lib/check.mjs";
import { SOLVED, at, eventNumber, openPage, shot, text } from "../lib/page.mjs";

const HASH = "#stampede-lock/step/code?policy=lock&seed=7&at=30";
const broken = (page) => page.locator("#broken");

/** What a translator does: every text gets an element of its own around it, in a place that the lab believes to know. */
const translate = () => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const text of texts) {
    const font = document.createElement("font");
    text.replaceWith(font);
    font.append(text.textContent);
  }
};

async function open(browser, url, options = {}) {
  const opened = await openPage(browser, url, { hash: HASH, progress: SOLVED, ...options });
  await until("the event", () => eventNumber(opened.page).catch(() => 0), (number) => number === 31);
  return opened;
}

export async function brokenLab({ browser, url }) {
  await check("a panic is told with its reason, and reloading opens the view that stood there", async () => {
    const { page, close } = await open(browser, url);
    await page.evaluate(translate);
    // A new run is drawn into elements that are not those that were left there.
    await at(page, "tab-policy").click();
    await at(page, "preset-unprotected").click();
    await until("the policy", async () => page.url(), (address) => address.includes("policy=unprotected"));
    // Which of its sentences meets a text that is no longer there depends on the run.
    for (let step = 0; step < 60 && (await broken(page).count()) === 0; step += 1) await page.keyboard.press("ArrowLeft");
    await broken(page).waitFor();
    const told = await broken(page).innerText();
    assert(told.includes("The lab has stopped") && told.includes("panicked at"), told.replace(/\s+/g, " "));
    assert(!/panicked at ([/\\\\]|\w:)/.test(told), `it names a path of the machine that built it: ${told}`);
    // Whether the new run has its place in the address yet is a question of time; what the address says is opened.
    const link = await broken(page).locator("input").inputValue();
    assert(link === page.url() && link.includes("#stampede-lock/step/policy?policy=unprotected"), `it names ${link}`);
    const place = Number(link.match(/at=(\d+)/)?.[1] ?? NaN);
    assert((await broken(page).count()) === 1, "it is told more than once");
    await shot(page, "broken");
    await broken(page).getByRole("button", { name: "Reload" }).click();
    const number = await until("the lab", () => eventNumber(page).catch(() => 0), (number) => number > 0);
    assert(Number.isNaN(place) || number === place + 1, `event ${number} is shown, not that of ${link}`);
    assert((await at(page, "preset-unprotected").getAttribute("aria-pressed")) === "true", "another policy is chosen");
    assert((await broken(page).count()) === 0, "it is still broken");
    const mark = page.locator('[data-testid="lesson-thundering-herd"] .k-red');
    assert((await mark.count()) === 1, "progress is gone");
    await close();
  });

  await check("a trap is told too, in the language of the page, with a way to the beginning of the lesson", async () => {
    const { page, close } = await open(browser, url, { lang: "ja-JP" });
    await page.evaluate(() => setTimeout(() => { throw new WebAssembly.RuntimeError("unreachable"); }));
    await broken(page).waitFor();
    const told = await broken(page).innerText();
    assert(told.includes("ラボが停止しました") && told.includes("unreachable"), told);
    await shot(page, "broken-ja");
    await broken(page).getByRole("link").click();
    await until("the question", () => page.url(), (address) => /#stampede-lock\/predict/.test(address));
    await at(page, "story").waitFor();
    assert((await broken(page).count()) === 0, "it is still broken");
    await close();
  });

  await check("what breaks elsewhere in the page, in an extension of the browser, is not the lab's", async () => {
    const { page, close } = await open(browser, url);
    await page.evaluate(() => setTimeout(() => { throw new Error("an extension"); }));
    await page.evaluate(() => new Promise((later) => setTimeout(later)));
    await page.keyboard.press("ArrowRight");
    await until("the event", () => eventNumber(page), (number) => number === 32);
    assert((await broken(page).count()) === 0, await text(page, "narration"));
    await close();
  });

  await check("the page asks not to be translated by machine, before it starts", async () => {
    const page = await (await fetch(`${url}/`)).text();
    assert(/<html[^>]* translate="?no"?[ >]/.test(page), "the document may be translated");
    assert(/<meta[^>]*name="?google"?[^>]*content="?notranslate"?/.test(page), "Chromium's own translator is not told");
  });
}
