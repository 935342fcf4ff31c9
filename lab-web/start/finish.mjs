// What is left to do when trunk has built the page: the policy of the page, the list of files that are kept for a
// start without the server, and the compressed files that are sent.
//
// Trunk runs this after each build (see Trunk.toml), before it puts the build in place. An unoptimised build is for
// working on the lab: it is neither kept nor compressed.

import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** The strictest policy under which the lab runs. The page sets positions in style attributes. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "style-src-attr 'unsafe-inline'",
  "img-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** Smaller files are not worth a second one. */
const COMPRESSED_BYTES_MIN = 512;
const SERVICE_WORKER = "service-worker.js";

const directory = process.env.TRUNK_STAGING_DIR;
const isRelease = process.env.TRUNK_PROFILE === "release";
if (!directory) {
  console.error("finish.mjs is run by trunk: `trunk build --release`");
  process.exit(2);
}
const inside = (name) => join(directory, name);
const hash = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 16);

/** Names the build in the page, and says what the page may do. */
async function finishPage(build) {
  const page = await readFile(inside("index.html"), "utf8");
  let head = isRelease ? `<meta name="build" content="${build}">` : "";
  // `trunk serve` adds a script of its own to the page, whose text nobody knows yet.
  if (!page.includes("__TRUNK_ADDRESS__")) {
    head += `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`;
  }
  const finished = page.replace(/<meta charset="utf-8" *\/?>/, (charset) => charset + head);
  if (finished === page && head) throw new Error("index.html has no <meta charset>");
  await writeFile(inside("index.html"), finished);
}

async function finishServiceWorker(build, files) {
  const text = await readFile(inside(SERVICE_WORKER), "utf8");
  const known = `const BUILD = ${JSON.stringify(build)};\nconst FILES = ${JSON.stringify(files)};\n`;
  await writeFile(inside(SERVICE_WORKER), known + text);
}

async function compress(name) {
  const bytes = await readFile(inside(name));
  if (bytes.length < COMPRESSED_BYTES_MIN) return;
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  await Promise.all([
    promisify(brotliCompress)(bytes, { params }).then((small) => writeFile(inside(`${name}.br`), small)),
    promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }).then((small) => writeFile(inside(`${name}.gz`), small)),
  ]);
}

const names = (await readdir(directory)).filter((name) => !/\.(br|gz)$/.test(name)).sort();
const contents = await Promise.all(names.map(async (name) => `${name} ${hash(await readFile(inside(name)))}`));
const build = hash(contents.join("\n"));
await finishPage(build);
await finishServiceWorker(build, names.filter((name) => name !== "index.html" && name !== SERVICE_WORKER));
if (isRelease) await Promise.all(names.map(compress));
