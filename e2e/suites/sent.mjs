// What `lab serve` sends to a browser that comes for the first time.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { assert, check } from "../lib/check.mjs";
import { at, dist, openPage } from "../lib/page.mjs";
import { serveLab } from "../lib/serve.mjs";

export async function firstVisit({ browser, lab }) {
  const served = await serveLab(lab);
  try {
    await check("a first visit is sent what the build compressed, and nothing twice", async () => {
      const { page, errors, close } = await openPage(browser, served.url);
      await at(page, "stage").waitFor();
      const sent = await page.evaluate(() =>
        performance.getEntries().filter(({ encodedBodySize }) => encodedBodySize > 0)
          .map(({ name, encodedBodySize }) => [new URL(name).pathname.slice(1) || "index.html", encodedBodySize]));
      const built = new Set(readdirSync(dist));
      for (const [name, bytes] of sent) {
        const wanted = statSync(join(dist, built.has(`${name}.br`) ? `${name}.br` : name)).size;
        assert(bytes === wanted, `${name} was sent as ${bytes} bytes, not as ${wanted}`);
      }
      const names = sent.map(([name]) => name);
      assert(names.some((name) => name.endsWith(".wasm")) && new Set(names).size === names.length, `sent: ${names.join(", ")}`);
      assert(errors.length === 0, errors.join("\n"));
      await close();
    });
  } finally {
    await served.close();
  }
}
