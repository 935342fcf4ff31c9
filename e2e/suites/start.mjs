// The start of the page, and a start that fails.

import { DEADLINE_MS, check } from "../lib/check.mjs";
import { shot } from "../lib/page.mjs";

export async function cannotStart({ browser, url }) {
  await check("a simulator that does not start says so, and offers to try again", async () => {
    const context = await browser.newContext();
    await context.route("**/*.wasm", (route) => route.abort());
    const page = await context.newPage();
    await page.goto(url);
    await page.locator(".boot[data-state=failed] button").waitFor({ timeout: DEADLINE_MS });
    await shot(page, "did-not-start");
    await context.close();
  });
}
