// What a screen reader is told without being asked.

import { assert, check, until } from "../lib/check.mjs";
import { SOLVED, at, openPage } from "../lib/page.mjs";

/** Notes in the page what every live region says, and whether time was running then. */
const listen = () => {
  window.heard = [];
  const live = "[aria-live]:not([aria-live=off]), [role=status], [role=alert], output";
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      const element = target instanceof Element ? target : target.parentElement;
      const region = element?.closest("[aria-live], [role=status], [role=alert], output");
      const said = region?.matches(live) && region.getAttribute("aria-live") !== "off" ? region.textContent.trim() : "";
      const playing = document.querySelector('[data-testid="play"]')?.getAttribute("aria-label") === "Pause";
      const trying = document.querySelector('[data-testid="stop"]') !== null;
      if (said) window.heard.push({ said, playing, trying });
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
};

const heard = (page) => page.evaluate(() => window.heard);

export async function spoken({ browser, url }) {
  const { page, errors, close } = await openPage(browser, url, { before: listen });
  await check("nothing is spoken while time runs; then the event and the verdict are", async () => {
    await at(page, "answer-some").check({ force: true });
    await at(page, "reveal-button").click();
    const verdict = (all) => all.some(({ said }) => said === "Verdict: Red, 1 of 3 checks failed.");
    const all = await until("the verdict", () => heard(page), verdict);
    const chatter = all.filter(({ playing }) => playing).map(({ said }) => said);
    assert(chatter.length === 0, `while playing: ${chatter.slice(0, 5).join("; ")}`);
    assert(all.some(({ said }) => said.includes("The check fails")), `the event is not spoken: ${JSON.stringify(all)}`);
  });

  await check("a step speaks its event, and the verdict no second time", async () => {
    await page.evaluate(() => (window.heard = []));
    // What the first step has said late is heard by the time that the second one has spoken.
    for (const step of [1, 2]) {
      const before = (await heard(page)).length;
      await page.keyboard.press("ArrowLeft");
      await until(`the event of step ${step}`, () => heard(page), (all) => all.length > before);
    }
    const all = await heard(page);
    assert(all.every(({ said }) => !said.startsWith("Verdict: Red")), JSON.stringify(all));
  });

  await check("seeds are tried in silence; then their verdict is spoken", async () => {
    await page.evaluate(() => (window.heard = []));
    await at(page, "step-hold").click();
    await at(page, "preset-acknowledged").click();
    const done = (all) => all.some(({ said }) => said === "200 of 200 seeds green.");
    const all = await until("the verdict of the seeds", () => heard(page), done);
    const counts = all.filter(({ trying, said }) => trying && /\d+ (of|\/) \d+/.test(said) && !said.startsWith("Verdict"));
    assert(counts.length === 0, `while seeds are tried: ${JSON.stringify(counts.slice(0, 3))}`);
  });
  await check("no error in the console of what is spoken", () => assert(errors.length === 0, errors.join("\n")));
  await close();
}
