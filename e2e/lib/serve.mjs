// Who serves the page: any static host, or `lab serve`.

import { spawn } from "node:child_process";
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

import { dist } from "./page.mjs";

export const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Serves dist/ as any static host would; there is no API. */
export async function serveDist() {
  if (!existsSync(join(dist, "index.html"))) {
    throw new Error("there is no dist/index.html: build the page first with `trunk build --release`");
  }
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://lab").pathname);
    const file = join(dist, path === "/" ? "index.html" : path);
    if (!file.startsWith(dist) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404, { "content-type": "text/plain" }).end("not found");
      return;
    }
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** Starts `lab serve` over the same dist/, on a free port, and says where it listens. */
export async function serveLab(lab) {
  // The second name is that of a page which is no secure context.
  const how = ["serve", "--listen", "127.0.0.1:0", "--dist", dist, "--allow-host", "lab.test"];
  const server = spawn(lab, how, { stdio: ["ignore", "pipe", "pipe"] });
  let told = "";
  const gone = new Promise((done) => server.once("exit", done));
  const url = await new Promise((found, failed) => {
    const read = (chunk) => {
      told += chunk;
      const address = told.match(/http:\/\/127\.0\.0\.1:\d+/);
      if (address) found(address[0]);
    };
    server.stdout.on("data", read);
    server.stderr.on("data", read);
    server.once("error", failed);
    gone.then((code) => failed(new Error(`lab serve ended with ${code}: ${told}`)));
  });
  const end = async (signal) => {
    server.kill(signal);
    await gone;
  };
  return { url, close: () => end("SIGTERM"), crash: () => end("SIGKILL") };
}
