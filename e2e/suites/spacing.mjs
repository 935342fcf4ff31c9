// Readers who change how the page is set: wider text (WCAG 1.4.12), 200 % and 400 % zoom (1.4.4, 1.4.10). Nothing may
// be lost. A zoomed page is a smaller window: 1440 by 900 at 200 % is 720 by 450, 1280 by 1024 at 400 % is 320 by 256.

import { assert, check, until } from "../lib/check.mjs";
import { cutOff, misfits, onEachOther } from "../lib/looks.mjs";
import { SOLVED, at, openPage, shot } from "../lib/page.mjs";

const WIDE_TEXT = `* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
p { margin-bottom: 2em !important; }`;
const WAYS = [
  { name: "wide text", width: 1440, height: 900, css: WIDE_TEXT },
  { name: "wide text", width: 1100, height: 800, css: WIDE_TEXT },
  { name: "wide text", width: 390, height: 844, css: WIDE_TEXT },
  { name: "200 %", width: 720, height: 450 },
  { name: "400 %", width: 320, height: 256 },
  { name: "wide text at 400 %", width: 320, height: 256, css: WIDE_TEXT },
];
/** Sets the page as a reader's extension does, which the page's policy does not ask: a style element would be refused. */
const setting = (css) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets.push(sheet);
};
const STEPS = ["predict", "fail", "step", "hold", "real"];

export async function spacing({ browser, url }) {
  for (const lang of ["en-US", "ja-JP"]) {
    for (const { name, width, height, css } of WAYS) {
      const { page, errors, close } = await openPage(browser, url, { width, height, lang, progress: SOLVED, still: true });
      await at(page, "stage").waitFor();
      if (css) await page.evaluate(setting, css);
      for (const step of STEPS) {
        await check(`${name}, ${width}, ${lang}: nothing of ${step} is lost`, async () => {
          await page.evaluate((step) => (location.hash = `#invalidation-delay/${step}`), step);
          await until("the step", () => at(page, `step-${step}`).getAttribute("aria-current"), (on) => on === "step");
          await until("the run", () => page.locator(".stage").count(), (count) => count > 0);
          const wrong = [...(await misfits(page)), ...(await cutOff(page)), ...(await onEachOther(page))];
          assert(wrong.length === 0, wrong.slice(0, 8).join("; "));
        });
      }
      await shot(page, `spacing-${name.replace(/[^a-z0-9]+/g, "-")}-${width}-${lang.slice(0, 2)}`);
      await check(`${name}, ${width}, ${lang}: no error`, () => assert(errors.length === 0, errors.join("\n")));
      await close();
    }
  }
}
