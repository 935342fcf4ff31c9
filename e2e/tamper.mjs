// Whether the end-to-end tests can fail: the page is broken in many ways, and each must turn the checks red that
// watch over what it breaks.
//
//   node e2e/tamper.mjs                  all mutations
//   node e2e/tamper.mjs lesson veil      only those in these suites whose name contains one of the other words
//   BUILT=1 node e2e/tamper.mjs          with the page that the last run has built
//   LAB=target/debug/lab node e2e/tamper.mjs   those of recordings and of the real cluster too
//
// The mutations stand in mutations/. The lab is built once, unoptimised, from a copy of the sources in which the
// mutations of the source wait to be switched on; each mutation is then a copy of that page. First the suites must be
// green as they are. It prints a line a mutation with the checks that turned red and what they said, and exits 1 when
// one that must turn red did not, or said something else. It takes about half an hour on two busy cores,
// and is no part of CI.

import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { root } from "./lib/page.mjs";
import { PAGE } from "./mutations/page.mjs";
import { SOURCE } from "./mutations/source.mjs";

const NEEDS_LAB = ["real", "recordings"];
/** How long a check waits for what it wants, in seconds: what is broken does not come. Real servers take their time. */
const deadline = (suites) => (["real", "verdict"].some((slow) => suites.includes(slow)) ? 60 : 20);
/** Runs at the same time. */
const AT_ONCE = Number(process.env.AT_ONCE ?? 2);

const place = join(root, "target/tamper");
const source = join(place, "source");
const built = join(place, "dist");

/** How the lab asks which mutation is on: the page and its worker find the name where `prepare` writes it. */
const ASKS = `
/// Whether the page is broken in this way.
pub(crate) fn tampered(name: &str) -> bool {
    let on = js_sys::Reflect::get(&js_sys::global(), &"tampered".into()).ok();
    on.and_then(|on| on.as_string()).is_some_and(|on| on == name)
}
`;

/** Builds the lab with all mutations of the source in it, each switched off. */
function build() {
  rmSync(source, { recursive: true, force: true });
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" }).split("\0").filter(Boolean);
  for (const file of files) {
    mkdirSync(dirname(join(source, file)), { recursive: true });
    copyFileSync(join(root, file), join(source, file));
  }
  const change = (file, turn) => writeFileSync(join(source, file), turn(readFileSync(join(source, file), "utf8")));
  change("lab-web/src/lib.rs", (text) => text + ASKS);
  for (const { name, file, from, to } of SOURCE) {
    const broken = to.replaceAll("TAMPERED", `crate::tampered(${JSON.stringify(name)})`);
    change(file, (text) => {
      if (text.split(from).length !== 2) throw new Error(`${name}: \`${from}\` does not stand once in ${file}`);
      return text.replace(from, () => broken);
    });
  }
  // A target directory of its own: cargo would take what it builds of this copy for what it has built of the lab.
  const tools = [join(root, ".tools/bin"), join(root, "e2e/node_modules/.bin"), process.env.PATH].join(":");
  const env = { ...process.env, PATH: tools, CARGO_TARGET_DIR: join(place, "target") };
  execFileSync("trunk", ["build", "--offline", "--dist", built], { cwd: source, env, stdio: ["ignore", "ignore", "inherit"] });
}

/** A copy of the page that is broken in one way, or in none. */
function prepare(mutation, number) {
  const dist = join(place, `dist-${number}`);
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist);
  for (const name of readdirSync(built)) {
    const text = () => readFileSync(join(built, name), "utf8");
    const on = `globalThis.tampered = ${JSON.stringify(mutation.name)};\n`;
    if (/^start-.*\.js$/.test(name)) writeFileSync(join(dist, name), on + (mutation.script ?? "") + text());
    else if (name === "worker.js") writeFileSync(join(dist, name), on + text());
    else if (/^forced-.*\.css$/.test(name)) writeFileSync(join(dist, name), text() + (mutation.style ?? ""));
    else linkSync(join(built, name), join(dist, name));
  }
  return dist;
}

/** Runs suites on such a page: the checks that were green, and what the others said. It ends early once `enough`. */
async function run(dist, suites, enough = () => false) {
  const results = join(dist, "results");
  const env = { ...process.env, DIST: dist, RESULTS: results, DEADLINE_S: String(deadline(suites)) };
  const child = spawn(process.execPath, [join(root, "e2e/run.mjs"), ...suites], { env, stdio: ["ignore", "pipe", "pipe"] });
  const seen = { green: [], red: new Map(), told: "" };
  let failing;
  createInterface({ input: child.stdout }).on("line", (line) => {
    seen.told += `${line}\n`;
    if (line.startsWith("ok    ")) seen.green.push(line.slice(6).replace(/ \(\d+ ms\)$/, ""));
    else if (line.startsWith("FAIL  ")) seen.red.set((failing = line.slice(6)), "");
    else if (failing && line.startsWith("      ")) seen.red.set(failing, `${seen.red.get(failing)}${line.trim().replace(/\x1b\[\d+m/g, "")} `);
    else failing = undefined;
    if (enough(seen)) child.kill("SIGTERM");
  });
  child.stderr.on("data", (chunk) => (seen.told += chunk));
  await new Promise((ended) => child.once("close", ended));
  return seen;
}

/** Does the work for each of them, a few at a time. */
async function together(all, work) {
  const waiting = all.map((one, place) => [one, place]);
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await work(...next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const isCalled = (wanted, name) => (wanted.includes("…") ? matches(wanted, name) : wanted === name);
const matches = (wanted, name) => new RegExp(`^${wanted.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`).test(name);
const says = (part, told) => (part instanceof RegExp ? part.test(told) : told.includes(part));

/** What is wrong with a run under a mutation: the checks that had to turn red, of all that there are, and did not. */
function missing(mutation, names, seen, isWhole) {
  return Object.entries(mutation.red).flatMap(([wanted, part]) => {
    const own = names.filter((name) => isCalled(wanted, name));
    if (own.length === 0) return isWhole ? [`there is no check “${wanted}”`] : [];
    return own.flatMap((name) => {
      if (!seen.red.has(name)) return [seen.green.includes(name) ? `“${name}” stayed green` : `“${name}” was not run`];
      return says(part, seen.red.get(name)) ? [] : [`“${name}” said: ${seen.red.get(name)}`];
    });
  });
}

const words = process.argv.slice(2);
const lab = process.env.LAB && resolve(root, process.env.LAB);
const all = [...PAGE, ...SOURCE];
const isSuite = (word) => all.some(({ suites }) => suites.includes(word));
const [ofSuites, ofNames] = [words.filter(isSuite), words.filter((word) => !isSuite(word))];
const isWanted = (suite) => (lab || !NEEDS_LAB.includes(suite)) && (ofSuites.length === 0 || ofSuites.includes(suite));
const isNamed = ({ name }) => ofNames.length === 0 || ofNames.some((word) => name.includes(word));
const chosen = all.filter((mutation) => isNamed(mutation) && mutation.suites.some(isWanted));
if (!process.env.BUILT) build();

const suites = [...new Set(chosen.flatMap((mutation) => mutation.suites))].filter(isWanted);
const untouched = new Map();
await together(suites, async (suite) => {
  const seen = await run(prepare({ name: "" }, suite), [suite]);
  untouched.set(suite, seen.green);
  if (seen.red.size === 0 && seen.green.length > 0) return;
  console.log(`the suite ${suite} is not green as it is:\n${seen.told}`);
  process.exitCode = 1;
});
if (process.exitCode) process.exit();
console.log(`as it is: ${[...untouched.values()].flat().length} checks of ${suites.join(", ")} are green`);

let dull = 0;
const turned = new Set();
await together(chosen, async (mutation, number) => {
  const own = mutation.suites.filter(isWanted);
  const isWhole = own.length === mutation.suites.length;
  const names = own.flatMap((suite) => untouched.get(suite));
  const seen = await run(prepare(mutation, number), own, (seen) => missing(mutation, names, seen, isWhole).length === 0);
  const wrong = missing(mutation, names, seen, isWhole);
  dull += wrong.length > 0 ? 1 : 0;
  console.log(`${wrong.length > 0 ? "DULL " : "seen "} ${mutation.name}`);
  for (const [name, told] of seen.red) {
    if (!Object.keys(mutation.red).some((wanted) => isCalled(wanted, name))) continue;
    turned.add(name);
    console.log(`      red: ${name}: ${told.slice(0, 160)}`);
  }
  for (const line of wrong) console.log(`      ${line}`);
  rmSync(join(place, `dist-${number}`), { recursive: true, force: true });
});
for (const name of [...untouched.values()].flat().filter((name) => !turned.has(name))) console.log(`not broken: ${name}`);
console.log(`\n${chosen.length - dull} of ${chosen.length} mutations turned red what they break`);
process.exitCode = dull > 0 ? 1 : 0;
