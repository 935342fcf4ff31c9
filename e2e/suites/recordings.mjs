// Recordings of runs, opened from files.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { assert, check, until } from "../lib/check.mjs";
import { SOLVED, at, chosen, openPage, results, shot, text } from "../lib/page.mjs";

/** The recording of a run, as `lab run --trace` writes it. */
function recording(lab, ...how) {
  const file = join(results, "run.jsonl");
  const { status, stderr } = spawnSync(lab, ["run", ...how, "--trace", file]);
  assert(status === 0 || status === 1, `lab run: ${stderr}`);
  return readFileSync(file, "utf8");
}

export async function files({ browser, url, lab }) {
  const { page, errors, close } = await openPage(browser, url, {
    hash: "#invalidation-delay/real?policy=lesson&seed=1",
    progress: SOLVED,
  });
  const open = (name, content) => at(page, "open-recording").setInputFiles(chosen(name, content));
  const simulated = recording(lab, "stampede-lock", "--policy", "lock", "--seed", "7");
  const real = recording(lab, "stampede-lock", "--policy", "lock", "--seed", "7", "--world", "real");

  await check("a file that is no whole recording is refused with a reason, and changes nothing", async () => {
    await until("the box", () => text(page, "real"), (told) => !told.includes("Looking"));
    await until("the address", async () => page.url(), (address) => address.includes("at="));
    const before = page.url();
    const bad = [
      ["bare events", real.slice(real.indexOf("\n") + 1), "which run it is"],
      ["cut off", real.slice(0, -40), "cut off"],
      ["changed", real.replace('"at":', '"at":1'), ""],
      ["of another format", real.replace('"format":3', '"format":9'), "format 9"],
    ];
    for (const [name, content, reason] of bad) {
      await open(`${name}.jsonl`, content);
      await until(name, () => at(page, "refused").allInnerTexts(), ([told]) => told?.includes(name) && told.includes(reason));
    }
    assert(page.url() === before, `${page.url()} is not ${before}`);
    assert((await at(page, "from-file").count()) === 0, "a refused file is shown");
    await shot(page, "recording-refused");
  });

  await check("a recording opens the run that it names, and earns no mark", async () => {
    await open("run.jsonl", real);
    await at(page, "from-file").waitFor();
    await until("the address", async () => page.url(), (address) => /stampede-lock\/real\?policy=lock&seed=7/.test(address));
    assert((await text(page, "run-verdict")).includes("Green"), await text(page, "run-verdict"));
    const mark = page.locator('[data-testid="lesson-stampede-lock"] .k-ring');
    assert((await mark.count()) === 0, "it earned the mark of a real run");
    assert((await text(page, "events")).includes("A recording of a real run, from a file"), await text(page, "events"));
    await shot(page, "recording-opened");
  });

  await check("a recording of the simulator is made again there", async () => {
    await open("simulated.jsonl", simulated);
    await at(page, "notice").waitFor();
    const told = await text(page, "notice");
    assert(told.includes("recording of the simulator") && !told.includes("differs"), told);
    assert((await at(page, "world-sim").getAttribute("aria-pressed")) === "true", "the simulator is not shown");
  });

  await check("nothing went wrong in the console while files were opened", () => assert(errors.length === 0, errors.join("\n")));
  await close();
}
