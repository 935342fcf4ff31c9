// A view as a link: it opens the same run, and says what it could not read.

import { assert, check, until } from "../lib/check.mjs";
import { at, eventNumber, openPage, text } from "../lib/page.mjs";

export async function links({ browser, url }) {
  const hash = "#invalidation-delay/step/events?policy=strong-reads&seed=5&at=40";
  const shared = await openPage(browser, url, { hash });
  await check("a link opens the same run at the same event", async () => {
    await until("the event", () => eventNumber(shared.page).catch(() => 0), (number) => number === 41);
    assert((await at(shared.page, "tab-events").getAttribute("aria-selected")) === "true", "the panel is another one");
  });
  await shared.close();
  const bad = await openPage(browser, url, { hash: "#invalidation-delay/nowhere?seed=seven" });
  await check("a bad link says what was ignored", async () => {
    const notice = await text(bad.page, "notice");
    assert(notice.includes("nowhere") && notice.includes("seed=seven"), notice);
  });
  await bad.close();
}
