// The end-to-end test: a person's way through the built lab, in the installed Chromium.
//
//   node e2e/run.mjs                     serves dist/ itself, on a free port of the loopback interface
//   node e2e/run.mjs links screens       only these suites
//   LAB=target/debug/lab node e2e/run.mjs   opens recordings of `lab run` too, starts `lab serve`, and a run on real
//                                        servers from the page
//   LAB=target/debug/lab BEHIND=lab node e2e/run.mjs   asks `lab serve` for the page, instead of a static host
//   DIST=…  RESULTS=…  DEADLINE_S=…      another page than dist/, another place for the screenshots, and how long a check
//                                        waits for what it wants (60 s); tamper.mjs runs the suites so
//
// It prints one line a check and "N passed, M failed", leaves screenshots in test-results/, and exits 1 when a check
// failed. Nothing is retried: a check polls for what it wants, with a deadline.

import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { chromium } from "playwright-core";

import { tally } from "./lib/check.mjs";
import { results, root } from "./lib/page.mjs";
import { serveDist, serveLab } from "./lib/serve.mjs";
import { axe, axeOverlays } from "./suites/axe.mjs";
import { brokenLab } from "./suites/broken.mjs";
import { forcedColours } from "./suites/forced.mjs";
import { freshness } from "./suites/freshness.mjs";
import { keyboard } from "./suites/keyboard.mjs";
import { invalidationDelay } from "./suites/lesson.mjs";
import { links, share } from "./suites/links.mjs";
import { keptForLater } from "./suites/offline.mjs";
import { playhead } from "./suites/pointer.mjs";
import { keptProgress, progressFiles, storageThatFails } from "./suites/progress.mjs";
import { question } from "./suites/question.mjs";
import { realCluster } from "./suites/real.mjs";
import { files } from "./suites/recordings.mjs";
import { otherScenarios } from "./suites/scenarios.mjs";
import { capsulesKeepClear, narrowScreens, pictures } from "./suites/screens.mjs";
import { spacing } from "./suites/spacing.mjs";
import { topologies } from "./suites/topology.mjs";
import { spoken } from "./suites/spoken.mjs";
import { cannotStart, elsewhere, stalePages } from "./suites/start.mjs";
import { firstVisit } from "./suites/sent.mjs";
import { deadWorkers, unshownSeeds } from "./suites/verdict.mjs";

/** The suites by name, in the order in which they run. */
const SUITES = {
  lesson: [invalidationDelay],
  scenarios: [otherScenarios],
  freshness: [freshness],
  pointer: [playhead],
  keyboard: [keyboard],
  spoken: [spoken],
  question: [question],
  links: [links, share],
  verdict: [deadWorkers, unshownSeeds],
  progress: [progressFiles, keptProgress, storageThatFails],
  start: [elsewhere, cannotStart, stalePages],
  offline: [keptForLater],
  broken: [brokenLab],
  overlays: [axeOverlays],
  axe: [axe],
  forced: [forcedColours],
  spacing: [spacing],
  capsules: [capsulesKeepClear],
  narrow: [narrowScreens],
  topology: [topologies],
  screens: [pictures],
};
/** Those that need the binary `lab`. */
const WITH_LAB = { recordings: [files], sent: [firstVisit], real: [realCluster] };

const lab = process.env.LAB && resolve(root, process.env.LAB);
const all = lab ? { ...SUITES, ...WITH_LAB } : SUITES;
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(all);
for (const name of wanted.filter((name) => !all[name])) {
  const why = WITH_LAB[name] ? "needs LAB=path/to/lab" : `is not one of ${Object.keys({ ...SUITES, ...WITH_LAB }).join(", ")}`;
  throw new Error(`the suite ${name} ${why}`);
}

mkdirSync(results, { recursive: true });
if (process.env.BEHIND && (process.env.BEHIND !== "lab" || !lab)) throw new Error("only BEHIND=lab is known, and it needs LAB=path/to/lab");
const served = process.env.BEHIND ? await serveLab(lab) : await serveDist();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP lab.test 127.0.0.1",
  ],
});
try {
  for (const name of wanted) {
    for (const suite of all[name]) await suite({ browser, url: served.url, lab });
  }
  if (!lab) console.log("      recordings and the real cluster are left out: no LAB=path/to/lab was given");
} finally {
  await browser.close();
  await served.close();
}
console.log(`\n${tally.passed} passed, ${tally.failures.length} failed`);
if (tally.failures.length > 0) {
  console.log(tally.failures.map((name) => `  - ${name}`).join("\n"));
  process.exitCode = 1;
}
