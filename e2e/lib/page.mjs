// A page of the lab in the browser, and how to ask what it shows.

import { readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { DEADLINE_MS } from "./check.mjs";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const dist = resolve(root, process.env.DIST ?? "dist");
export const results = resolve(root, process.env.RESULTS ?? "test-results");

/** The lessons that can be played: each has a folder. */
export const LESSONS = readdirSync(join(root, "lab-core/src/scenario"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name.replaceAll("_", "-"))
  .sort();
/** Every question answered, every failure seen. */
export const SOLVED = Object.fromEntries(LESSONS.map((lesson) => [lesson, { mark: "red", guess: 1 }]));

/** A page that notes what goes wrong in it. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    colorScheme: options.dark ? "dark" : "light",
    locale: options.lang ?? "en-US",
    reducedMotion: options.still ? "reduce" : "no-preference",
    forcedColors: options.forced ? "active" : "none",
    hasTouch: options.touch ?? false,
    permissions: options.permissions,
    serviceWorkers: options.keeps ? "allow" : "block",
  });
  if (options.progress) {
    await context.addInitScript(
      (progress) => localStorage.setItem("cache-lab-progress", JSON.stringify(progress)),
      options.progress,
    );
  }
  if (options.before) await context.addInitScript(options.before);
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => {
    // Without a server the question whether there is one is answered 404: that is an answer.
    const isProbe = message.location().url.includes("/api/scenarios");
    if (message.type() === "error" && !isProbe) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.setDefaultTimeout(DEADLINE_MS);
  await page.goto(`${url}/${options.hash ?? ""}`);
  return { page, errors, close: () => context.close() };
}

export const at = (page, id) => page.locator(`[data-testid="${id}"]`);
export const text = (page, id) => at(page, id).innerText();

export const eventNumber = async (page) => Number((await text(page, "event-count")).replace(/,/g, "").match(/(\d+)/)[1]);
export const shot = (page, name) => page.screenshot({ path: join(results, `${name}.png`) });

/** What a person would choose in the file dialogue. */
export const chosen = (name, content) => ({ name, mimeType: "text/plain", buffer: Buffer.from(content) });
