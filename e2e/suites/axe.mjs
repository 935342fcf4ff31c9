// axe over the whole lab, without a violation.
//
// Lesson, step, panel, theme, language and width make some thousand pages. Each pair of lesson and step is looked at six
// times, and meets there every panel, both themes, both languages and every width; which of these meet each other turns
// from pair to pair.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { assert, check, until } from "../lib/check.mjs";
import { LESSONS, SOLVED, at, openPage, root } from "../lib/page.mjs";

const STEPS = ["predict", "fail", "step", "hold", "real"];
const TABS = ["story", "test", "code", "policy", "events"];
const SIZES = [[1440, 900], [1100, 800], [390, 844]];

/** What axe finds wrong now, one line a rule and element; from the top of the page, or where it is scrolled to. */
async function violations(page, { fromTop = false } = {}) {
  const found = await page.evaluate(async (fromTop) => {
    if (fromTop) {
      // A page that is scrolled has buttons half under its bars; they are no smaller for it.
      for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
      scrollTo(0, 0);
    }
    const { violations } = await window.axe.run(document, {
      resultTypes: ["violations"],
      rules: { "target-size": { enabled: true } },
    });
    return violations.map(({ id, help, nodes }) => ({ id, help, html: nodes.map((node) => node.html.slice(0, 120)) }));
  }, fromTop);
  return found.map(({ id, help, html }) => `${id}: ${help}: ${html.length} × ${html[0]}`);
}

/** A page with axe in it. */
async function examined(browser, url, options) {
  const opened = await openPage(browser, url, { still: true, ...options });
  await opened.page.evaluate(readFileSync(join(root, "e2e/node_modules/axe-core/axe.min.js"), "utf8"));
  return opened;
}

async function inOneLanguage(browser, url, lang, progress) {
  const japanese = lang === "ja-JP";
  const { page, errors, close } = await examined(browser, url, { lang, progress });
  // An address that changes while the lab starts is that of its start, or is lost.
  await at(page, "stage").waitFor();
  for (const [row, scenario] of LESSONS.entries()) {
    for (const [column, step] of STEPS.entries()) {
      for (const [turn, [width, height]] of SIZES.entries()) {
        const tab = TABS[(row + column + turn + (japanese ? 3 : 0)) % TABS.length];
        const dark = (row + turn + (japanese ? 1 : 0)) % 2 === 1;
        await check(`axe: ${scenario}/${step}/${tab}, ${width}, ${dark ? "dark" : "light"}, ${lang}`, async () => {
          await page.setViewportSize({ width, height });
          await page.emulateMedia({ colorScheme: dark ? "dark" : "light", reducedMotion: "reduce" });
          await page.evaluate((hash) => (location.hash = hash), `#${scenario}/${step}/${tab}`);
          const selected = () => at(page, `tab-${tab}`).getAttribute("aria-selected");
          await until("the panel", selected, (on) => on === "true");
          const drawn = page.locator('[data-testid="stage"], [data-testid="empty"]');
          await until("the run", () => drawn.count(), (count) => count > 0);
          const wrong = await violations(page, { fromTop: true });
          assert(wrong.length === 0, wrong.join("\n"));
        });
      }
    }
  }
  await check(`axe: nothing went wrong in the console, ${lang}`, () => assert(errors.length === 0, errors.join("\n")));
  await close();
}

/** What lies over the page for a moment, and the question before it is answered: what it is, and how it comes. */
const OVER = {
  "the question, with its hint": [".hinted", (page) => page.locator(".qa .btn").nth(1).click()],
  "the keys": [".keysheet", (page) => page.keyboard.press("?")],
  "the course": [".rail.open .ch", (page) => at(page, "menu").click()],
  "a lesson to come": ['[data-testid="notice"] p', async (page) => {
    await at(page, "menu").click();
    await at(page, "lesson-split-brain").click();
  }],
  "my progress": [".rail.open .pmenu p", async (page) => {
    await at(page, "menu").click();
    await page.locator('[data-testid="progress-menu"] summary').click();
    await at(page, "progress-reset").click();
  }],
  "a link to copy": ['[data-testid="notice"] p', (page) => at(page, "share").click()],
  "a lab that broke": ["#broken p", (page) => page.evaluate(() => setTimeout(() => { throw new WebAssembly.RuntimeError("unreachable"); }))],
};

/** Brings something, and waits until nothing lies on it: axe passes over what it cannot see. */
async function brought(page, selector, bring) {
  await bring(page);
  const it = page.locator(selector).first();
  await it.waitFor();
  // On a phone the transport lies over the lower end of the page.
  await it.evaluate((element) => element.scrollIntoView({ block: "center" }));
  const onTop = (element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    const there = document.elementFromPoint(left + width / 2, top + height / 2);
    return element.contains(there) ? "" : `.${there?.className} lies on it`;
  };
  await until(selector, () => it.evaluate(onTop), (wrong) => wrong === "");
}

export async function axeOverlays({ browser, url }) {
  for (const [name, [selector, bring]] of Object.entries(OVER)) {
    for (const [width, height, lang] of [[1100, 800, "en-US"], [390, 844, "ja-JP"]]) {
      await check(`axe: ${name}, ${width}, ${lang}`, async () => {
        const { page, close } = await examined(browser, url, { width, height, lang, permissions: ["geolocation"] });
        await at(page, "story").waitFor();
        await brought(page, selector, bring);
        const wrong = await violations(page);
        assert(wrong.length === 0, wrong.join("\n"));
        await close();
      });
    }
  }
}

export async function axe({ browser, url }) {
  await inOneLanguage(browser, url, "en-US", SOLVED);
  await inOneLanguage(browser, url, "ja-JP", undefined);
}
