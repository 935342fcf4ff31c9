// The playhead under a mouse and under a finger. A drag is told by the event before the move and after it.

import { assert, check, until } from "../lib/check.mjs";
import { SOLVED, at, eventNumber, openPage } from "../lib/page.mjs";

const HASH = "#invalidation-delay/step?policy=lesson&seed=1";

/** How a mouse is pressed, moved and let go. */
const mouse = ({ page }) => ({
  press: async (x, y) => {
    await page.mouse.move(x, y);
    await page.mouse.down();
  },
  move: (x, y) => page.mouse.move(x, y, { steps: 5 }),
  release: () => page.mouse.up(),
});

/** The same with a finger. */
async function finger({ page }) {
  const session = await page.context().newCDPSession(page);
  const send = (type, ...touchPoints) => session.send("Input.dispatchTouchEvent", { type, touchPoints });
  let from;
  return {
    press: (x, y) => send("touchStart", (from = { x, y })),
    move: async (x, y) => {
      for (let part = 1; part <= 5; part += 1) {
        await send("touchMove", { x: from.x + ((x - from.x) * part) / 5, y: from.y + ((y - from.y) * part) / 5 });
      }
    },
    release: () => send("touchEnd"),
  };
}

async function drags(name, browser, url, options, hand) {
  const opened = await openPage(browser, url, { hash: HASH, progress: SOLVED, still: true, ...options });
  const { page, errors, close } = opened;
  await check(`the playhead can be dragged by ${name}, also beyond the timeline, until it is let go`, async () => {
    await at(page, "timeline").scrollIntoViewIfNeeded();
    const box = await at(page, "timeline").boundingBox();
    const { press, move, release } = await hand(opened);
    const place = (share, above) => [box.x + box.width * share, box.y + (above ? -40 : 30)];
    const first = await eventNumber(page);
    await press(...place(0.7, false));
    const pressed = await until("the press", () => eventNumber(page), (event) => event !== first);
    await move(...place(0.15, false));
    const early = await until("the drag to the left", () => eventNumber(page), (event) => event < pressed / 2);
    await move(...place(0.6, true));
    await until("the drag over the stage", () => eventNumber(page), (event) => event > early * 2);
    const last = await eventNumber(page);
    await release();
    if (name === "mouse") await move(...place(0.15, false));
    assert((await eventNumber(page)) === last, "the playhead still follows after it was let go");
    assert(errors.length === 0, errors.join("\n"));
  });
  await close();
}

export async function playhead({ browser, url }) {
  await drags("mouse", browser, url, {}, mouse);
  await drags("finger", browser, url, { touch: true, width: 390, height: 844 }, finger);
}
