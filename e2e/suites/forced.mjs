// Forced colours, in which a browser takes the page's own backgrounds away: what is on must still be told from what is
// off, and what is drawn by hand must still be there. The pictures are compared as a person sees them, pixel by pixel.

import { assert, check } from "../lib/check.mjs";
import { SOLVED, at, openPage, shot } from "../lib/page.mjs";

/** The pixels of an element, as rows of colours. */
async function pixels(page, element) {
  const picture = (await element.screenshot()).toString("base64");
  return page.evaluate(async (picture) => {
    // The page's policy lets it fetch nothing, not even from an address that holds the data.
    const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data, width, height } = context.getImageData(0, 0, image.width, image.height);
    return Array.from({ length: height }, (_, y) =>
      Array.from({ length: width }, (_, x) => data.slice((y * width + x) * 4, (y * width + x) * 4 + 3).join()),
    );
  }, picture);
}

/** The share of the pixels of a picture that are not of its most usual colour. */
function drawn(rows) {
  const count = new Map();
  for (const colour of rows.flat()) count.set(colour, (count.get(colour) ?? 0) + 1);
  return 1 - Math.max(...count.values()) / rows.flat().length;
}

/** The colour that most of a picture has. */
function ground(rows) {
  const count = new Map();
  for (const colour of rows.flat()) count.set(colour, (count.get(colour) ?? 0) + 1);
  return [...count].sort((one, other) => other[1] - one[1])[0][0];
}

export async function forcedColours({ browser, url }) {
  for (const dark of [false, true]) {
    const theme = dark ? "dark" : "light";
    const { page, close } = await openPage(browser, url, { forced: true, dark, still: true, progress: SOLVED, hash: "#invalidation-delay/hold" });
    const look = async (what) => pixels(page, typeof what === "string" ? at(page, what) : what);

    await check(`forced colours, ${theme}: a switch shows that it is on, and where its knob is`, async () => {
      const [off, on] = ["strong-reads", "write-shared"].map((name) => at(page, `switch-${name}`).locator("i"));
      const [without, withIt] = [await look(off), await look(on)];
      assert(drawn(without) > 0.15 && drawn(withIt) > 0.1, `${drawn(without)} and ${drawn(withIt)} of it are drawn`);
      assert(ground(without) !== ground(withIt), `both are ${ground(withIt)}`);
    });

    await check(`forced colours, ${theme}: the preset, step and world that are chosen stand out`, async () => {
      for (const [off, on] of [["preset-acknowledged", "preset-lesson"], ["step-fail", "step-hold"], ["world-real", "world-sim"]]) {
        assert(ground(await look(off)) !== ground(await look(on)), `${on} looks like ${off}`);
      }
    });

    await check(`forced colours, ${theme}: the mark of the lesson that is chosen stands out like its words`, async () => {
      const [mark, words] = await page.locator(".ch.cur").evaluate((row) =>
        [getComputedStyle(row.querySelector(".k-red")).stroke, getComputedStyle(row.querySelector(".tt")).color]);
      assert(mark === words, `the mark is ${mark}, the words are ${words}`);
    });

    await check(`forced colours, ${theme}: a slider has a track and a thumb`, async () => {
      const rows = await look(at(page, "policy").locator("input[type=range]").first());
      const outside = rows[0][0];
      const middle = rows[Math.floor(rows.length / 2)];
      const track = middle.filter((colour) => colour !== outside).length / middle.length;
      assert(track > 0.9, `${Math.round(track * 100)} % of the track can be seen`);
      const above = rows[Math.floor(rows.length / 2) - 5].filter((colour) => colour !== outside).length;
      assert(above >= 4, `the thumb is ${above} pixels wide over the track`);
    });
    await shot(page, `forced-${theme}`);
    await close();
  }
}
