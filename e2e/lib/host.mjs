// A static host as one finds them: the lab lies under a path, a file is missing, a policy is strict, an old page is
// kept by a cache, and at last the server is gone.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";

import { dist } from "./page.mjs";
import { TYPES } from "./serve.mjs";

const PATH = "/some/sub/path";

/** The strictest policy under which the lab runs: the one that the build writes into the page. */
export const STRICT =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; style-src-attr 'unsafe-inline'; " +
  "img-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'";

/**
 * Serves a directory under PATH and nothing else. `headers` go with every answer; `answer` may take a file over: it is
 * given the request and its name, and says `{ status, type, body }`, or "hang up". What is asked for is noted.
 */
export async function host({ directory = dist, headers = {}, answer = () => undefined } = {}) {
  const asked = [];
  const front = `${PATH}/`;
  const state = { directory, answer };
  const reply = async (request) => {
    const { pathname } = new URL(request.url, "http://host");
    asked.push(pathname);
    const inside = pathname.startsWith(front) && pathname.slice(front.length);
    const name = inside === "" ? "index.html" : inside;
    const own = name && (await state.answer(request, name));
    if (own) return own;
    const body = name && !name.includes("..") ? await readFile(join(state.directory, name)).catch(() => undefined) : undefined;
    return body ? { status: 200, type: TYPES[extname(name)], body } : { status: 404, type: "text/plain", body: "not found" };
  };
  const server = createServer(async (request, response) => {
    const told = await reply(request);
    if (told === "hang up") return request.socket.destroy();
    const life = { "cache-control": /-[0-9a-f]{8,16}[._]/.test(basename(request.url)) ? "max-age=31536000, immutable" : "no-cache" };
    response.writeHead(told.status, { "content-type": told.type ?? "application/octet-stream", ...life, ...headers });
    return response.end(told.body);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  // A check that fails leaves it open, which must not keep the test from ending.
  server.unref();
  const { port } = server.address();
  return {
    url: `http://127.0.0.1:${port}${PATH}`,
    asked,
    /** From now on it serves another directory, or answers in another way. */
    change: (change) => Object.assign(state, change),
    /** Nothing listens there any more, and no connection is left. */
    close: () => new Promise((closed) => {
      server.close(closed);
      server.closeAllConnections();
    }),
  };
}
