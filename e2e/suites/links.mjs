// A view as a link: it opens the same run, and says what it could not read.

import { assert, check, until } from "../lib/check.mjs";
import { SOLVED, at, eventNumber, openPage, shot, text } from "../lib/page.mjs";

export async function links({ browser, url }) {
  const hash = "#invalidation-delay/step/events?policy=strong-reads&seed=5&at=60";
  const shared = await openPage(browser, url, { hash });
  await check("a link opens the same run at the same event", async () => {
    await until("the event", () => eventNumber(shared.page).catch(() => 0), (number) => number === 61);
    assert((await at(shared.page, "tab-events").getAttribute("aria-selected")) === "true", "the panel is another one");
  });
  await shared.close();

  await check("a link survives what a mail does to it", async () => {
    const spoilt = "#invalidation-delay/hold?policy=%2Backnowledged-invalidation%2Bstrong-reads&amp;seed=5&amp;at=60).";
    const { page, errors, close } = await openPage(browser, url, { hash: spoilt, progress: SOLVED });
    for (const name of ["acknowledged-invalidation", "strong-reads"]) {
      const on = () => at(page, `switch-${name}`).getAttribute("aria-checked");
      await until(name, on, (checked) => checked === "true");
    }
    await until("the event", () => eventNumber(page).catch(() => 0), (number) => number === 61);
    assert((await at(page, "notice").count()) === 0, "something of it was ignored");
    assert(errors.length === 0, errors.join("\n"));
    await close();
  });

  const bad = await openPage(browser, url, { hash: "#invalidation-delay/nowhere?seed=seven" });
  await check("a bad link says in a sentence what was ignored", async () => {
    const notice = await text(bad.page, "notice");
    assert(notice.includes("Not understood in the link, and left out: “nowhere”, “seed=seven”."), notice);
  });
  await bad.close();
}

const VIEW = "#invalidation-delay/step/events?policy=strong-reads&seed=5&at=60";

/** The link that is shown to be copied by hand; it must be selected as a whole. */
async function shownLink(page) {
  const field = at(page, "share-link");
  await field.waitFor();
  const [all, selected, focused, name] = await field.evaluate((field) => [
    field.value,
    field.value.slice(field.selectionStart, field.selectionEnd),
    document.activeElement === field,
    field.getAttribute("aria-label"),
  ]);
  assert(selected === all && focused, `“${selected}” of “${all}” is selected, focused: ${focused}`);
  assert(name === "Link to this view", `the field is called ${name}`);
  return all;
}

/** Whether a link opens the view that it was shared from. */
async function opensTheView(browser, link) {
  assert(/&digest=[0-9a-f]{8}$/.test(link), `it is no whole link: ${link}`);
  const { page, close } = await openPage(browser, link.split("/#")[0], { hash: link.slice(link.indexOf("#")) });
  await until("the event", () => eventNumber(page).catch(() => 0), (number) => number === 61);
  assert((await at(page, "tab-events").getAttribute("aria-selected")) === "true", "the panel is another one");
  assert((await at(page, "notice").count()) === 0, "the run is not the one that was shared");
  await close();
}

async function sharing(browser, url, options, way) {
  const opened = await openPage(browser, url, { hash: VIEW, ...options });
  await until("the event", () => eventNumber(opened.page).catch(() => 0), (number) => number === 61);
  await way(opened);
  assert(opened.errors.length === 0, opened.errors.join("\n"));
  await opened.close();
}

export async function share({ browser, url }) {
  await check("Share copies a link to this very view", () => {
    const permissions = ["clipboard-read", "clipboard-write"];
    return sharing(browser, url, { permissions }, async ({ page }) => {
      await at(page, "share").click();
      await until("the word", () => at(page, "share").innerText(), (told) => told.includes("Link copied"));
      await opensTheView(browser, await page.evaluate(() => navigator.clipboard.readText()));
    });
  });

  await check("where a page is given no clipboard, Share shows the link, selected", () =>
    // The browser takes this name to the loopback interface, and its pages for no secure context.
    sharing(browser, url.replace("127.0.0.1", "lab.test"), {}, async ({ page }) => {
      assert(await page.evaluate(() => navigator.clipboard === undefined), "there is a clipboard");
      await at(page, "share").click();
      await opensTheView(browser, await shownLink(page));
      await shot(page, "share-by-hand");
      await at(page, "dismiss").click();
      await at(page, "share-link").waitFor({ state: "detached" });
    }));

  for (const [width, height] of [[1280, 600], [800, 600], [390, 600]]) {
    await check(`${width} × ${height}: the link to copy covers nothing that is to be pressed`, () =>
      sharing(browser, url, { width, height, permissions: ["geolocation"] }, async ({ page }) => {
        await at(page, "share").click();
        await at(page, "share-link").waitFor();
        await at(page, "play").scrollIntoViewIfNeeded();
        const covered = await page.locator(".trans :is(button, select)").evaluateAll((controls) =>
          controls.filter((control) => control.getClientRects().length > 0).flatMap((control) => {
            const { left, top, width, height } = control.getBoundingClientRect();
            const there = document.elementFromPoint(left + width / 2, top + height / 2);
            return control.contains(there) ? [] : [`${control.outerHTML.slice(0, 60)} lies under .${there?.className}`];
          }));
        assert(covered.length === 0, covered.join("; "));
        if (width > 960) await shot(page, "share-low");
      }));
  }

  await check("where the clipboard is refused, on a phone, Share shows the link, selected", () =>
    // A page that was given some permissions by name is refused all others.
    sharing(browser, url, { width: 390, height: 844, permissions: ["geolocation"] }, async ({ page }) => {
      await at(page, "share").click();
      await opensTheView(browser, await shownLink(page));
      await shot(page, "share-by-hand-phone");
    }));
}
