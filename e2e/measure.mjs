// Measures the simulator in a headless Chromium beside the same simulator run natively, in alternating rounds; and
// what it takes to draw one step of a run in the built lab.
//
//   node e2e/measure.mjs NATIVE PAGE [DIST]      (CHROMIUM names the browser)
//
// NATIVE is the program built from lab-core/benches/simulator.rs; PAGE is the directory with what wasm-bindgen made
// of the same file; DIST is the built lab. `cargo xtask bench` builds the first two and reads the lines that this
// prints. It prints and does not judge.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { basename, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

/** Rounds that count, after as many as the browser's compiler needs to have seen the code. */
const ROUNDS = 21;
const WARM_UP = 5;

const PAGE = `<!doctype html><script type="module">
  import init, { round } from './simulator.js';
  await init();
  globalThis.round = round;
</script>`;
const TYPES = { '.css': 'text/css', '.js': 'text/javascript', '.wasm': 'application/wasm' };

/** The unprotected herd of a thousand clients, in the middle of its trouble. */
const STEP = { hash: '#thundering-herd/step', query: '?policy=unprotected&seed=1&at=4000', steps: 300, warmUp: 100 };
const PANELS = ['story', 'test', 'code', 'events'];

const [native, directory, dist] = process.argv.slice(2);
if (!native || !directory || !process.env.CHROMIUM) {
  console.error('usage: CHROMIUM=/usr/bin/chromium node e2e/measure.mjs NATIVE PAGE [DIST]');
  process.exit(2);
}

/** Serves the page, isolated from other origins: `performance.now` then tells 5 µs instead of 100 µs. */
async function serve(directory, page) {
  const server = createServer(async (request, response) => {
    const isolated = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
    const name = basename(new URL(request.url, 'http://localhost').pathname);
    try {
      const body = name === '' ? page : await readFile(join(directory, name));
      response.writeHead(200, { ...isolated, 'content-type': TYPES[extname(name)] ?? 'text/html' });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** The native program: a seed in, the figures of that round out. */
function startNative() {
  const child = spawn(native, ['--paired'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the native program ended with ${code}`);
  });
  ended.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const round = async (seed) => {
    child.stdin.write(`${seed}\n`);
    const { value } = await Promise.race([lines.next(), ended]);
    return value.split(' ').map(Number);
  };
  return { round, end: () => child.stdin.end() };
}

const figures = ([step, bare, whole]) => ({ step, bare, whole });

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** The medians of `one` and `other` over all pairs of rounds, and of their ratios. */
function beside(pairs, one, other) {
  const ratio = median(pairs.map((pair) => one(pair) / other(pair)));
  return { one: median(pairs.map(one)), other: median(pairs.map(other)), ratio: ratio.toFixed(2) };
}

function report(first, pairs) {
  const nanos = (name, other, { one, other: beside, ratio }) =>
    console.log(`  ${name}: ${one.toFixed(0)} ns; ${other}: ${beside.toFixed(0)} ns; ratio ${ratio}`);
  console.log(`simulator, medians of ${ROUNDS} rounds, native and browser by turns`);
  nanos('step', 'bare executor', beside(pairs, (pair) => pair.native.step, (pair) => pair.native.bare));
  nanos('step in wasm', 'native', beside(pairs, (pair) => pair.wasm.step, (pair) => pair.native.step));
  nanos('bare executor in wasm', 'native', beside(pairs, (pair) => pair.wasm.bare, (pair) => pair.native.bare));
  const herd = beside(pairs, (pair) => pair.wasm.whole, (pair) => pair.native.whole);
  const native = `native: ${herd.other.toFixed(1)} ms`;
  console.log(`  herd in the browser, first: ${first.toFixed(1)} ms; ${native}; ratio ${(first / herd.other).toFixed(2)}`);
  console.log(`  herd in the browser, later: ${herd.one.toFixed(1)} ms; ${native}; ratio ${herd.ratio}`);
}

/** Presses the step button so many times; every step is drawn and painted before the next. */
const press = (page, steps) =>
  page.evaluate(async (steps) => {
    const button = document.querySelector('[data-testid="step"]');
    for (let count = 0; count < steps; count += 1) {
      button.click();
      await new Promise(requestAnimationFrame);
    }
  }, steps);

/**
 * What one step costs the page's thread in script, in milliseconds: the reducer, and every change to the document.
 * It is the thread's own time, so other programs on the machine do not count; the browser's layout and paint, which
 * come after, do not either.
 */
async function step(browser, url, panel) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  await context.addInitScript(() => {
    localStorage.setItem('cache-lab-progress', JSON.stringify({ 'thundering-herd': { mark: 'red', guess: 1 } }));
  });
  const page = await context.newPage();
  await page.goto(`${url}/${STEP.hash}/${panel}${STEP.query}`);
  await page.locator('[data-testid="stage"]').waitFor();
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const script = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return 1000 * metrics.find(({ name }) => name === 'ScriptDuration').value;
  };
  await press(page, STEP.warmUp);
  const before = await script();
  await press(page, STEP.steps);
  const took = (await script()) - before;
  await context.close();
  return took / STEP.steps;
}

/** The figures of the built lab. */
async function measureSteps(browser) {
  const server = await serve(dist, await readFile(join(dist, 'index.html')));
  const url = `http://127.0.0.1:${server.address().port}`;
  console.log(`drawing one step of the herd of 1000 clients, mean of ${STEP.steps} steps, by the open panel`);
  try {
    for (const panel of PANELS) {
      console.log(`  page step, ${panel}: ${(await step(browser, url, panel)).toFixed(2)} ms`);
    }
  } finally {
    server.close();
  }
}

const server = await serve(directory, PAGE);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const program = startNative();
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(`page: ${error}`));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => globalThis.round && globalThis.crossOriginIsolated);
  const inBrowser = async (seed) => figures(await page.evaluate((seed) => [...globalThis.round(seed)], seed));
  const natively = async (seed) => figures(await program.round(seed));

  // A side that was idle while the other one worked finds its caches filled with that one's data: its first round
  // of a turn is not counted.
  const settled = async (side, seed) => {
    await side(seed);
    return side(seed);
  };
  const first = await inBrowser(1);
  const pairs = [];
  for (let round = 1; round <= WARM_UP + ROUNDS; round += 1) {
    const pair = { native: await settled(natively, round), wasm: await settled(inBrowser, round) };
    if (round > WARM_UP) pairs.push(pair);
  }
  report(first.whole, pairs);
  await page.close();
  if (dist) await measureSteps(browser);
} finally {
  program.end();
  await browser.close();
  server.close();
}
