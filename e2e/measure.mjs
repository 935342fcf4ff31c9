// Measures the simulator in a headless Chromium beside the same simulator run natively, in alternating rounds.
//
//   node e2e/measure.mjs NATIVE PAGE      (CHROMIUM names the browser)
//
// NATIVE is the program built from lab-core/benches/simulator.rs; PAGE is the directory with what wasm-bindgen made
// of the same file. `cargo xtask bench` builds both and reads the lines that this prints. It prints and does not
// judge.

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
const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };

const [native, directory] = process.argv.slice(2);
if (!native || !directory || !process.env.CHROMIUM) {
  console.error('usage: CHROMIUM=/usr/bin/chromium node e2e/measure.mjs NATIVE PAGE');
  process.exit(2);
}

/** Serves the page, isolated from other origins: `performance.now` then tells 5 µs instead of 100 µs. */
async function serve() {
  const server = createServer(async (request, response) => {
    const isolated = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
    const name = basename(new URL(request.url, 'http://localhost').pathname);
    try {
      const body = name === '' ? PAGE : await readFile(join(directory, name));
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

const server = await serve();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const program = startNative();
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(`page: ${error}`));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.waitForFunction(() => globalThis.round && globalThis.crossOriginIsolated);
  const inBrowser = async (seed) => figures(await page.evaluate((seed) => [...globalThis.round(seed)], seed));
  const natively = async (seed) => figures(await program.round(seed));

  const first = await inBrowser(1);
  const pairs = [];
  for (let round = 1; round <= WARM_UP + ROUNDS; round += 1) {
    const pair = { native: await natively(round), wasm: await inBrowser(round) };
    if (round > WARM_UP) pairs.push(pair);
  }
  report(first.whole, pairs);
} finally {
  program.end();
  await browser.close();
  server.close();
}
