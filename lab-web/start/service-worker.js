// Keeps one build of the lab, so that it starts without the server.
//
// The build writes BUILD and FILES before this text. The files are kept when the worker is installed, under the name
// of the build, and answered from there: their names change with their content. The page itself is asked for anew as
// long as the server answers. Nothing else is answered here: not the API, and no page of anybody else.
//
// A worker of a newer build waits until no page of an older one is open, because those find their files here.

const scope = new URL(registration.scope).pathname;
// Caches belong to the whole origin, which may hold the lab at several paths.
const PREFIX = `cache-lab ${scope} `;
const KEPT = PREFIX + BUILD;
/** How often, and after how many milliseconds, a new worker looks again whether other pages are open. */
const [LOOKS, LOOK_MS] = [50, 200];
const addressOf = (file) => new URL(file, registration.scope).href;
const files = new Map(FILES.map((file) => [addressOf(file), file]));

addEventListener("install", (event) => event.waitUntil(keep()));
addEventListener("activate", (event) => event.waitUntil(takeOver()));
addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  if (method !== "GET") return;
  const { origin, pathname, href } = new URL(url);
  const isPage = origin === location.origin && (pathname === scope || pathname === `${scope}index.html`);
  if (mode === "navigate") {
    if (isPage) event.respondWith(page(event.request));
  } else if (files.has(href)) {
    event.respondWith(file(event.request));
  }
});
addEventListener("message", (event) => event.waitUntil(meet(event)));

async function keep() {
  const cache = await caches.open(KEPT);
  await cache.addAll(FILES.map(addressOf));
  const answer = await fetch(registration.scope, { cache: "no-cache" });
  const text = await answer.clone().text();
  // The page may have been replaced while its files were fetched: then another worker is on its way.
  if (!answer.ok || !text.includes(BUILD)) throw new Error(`the page is not of build ${BUILD}`);
  await cache.put(registration.scope, answer);
}

async function takeOver() {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== KEPT) await caches.delete(name);
  }
  // The first page finds its worker here too, should the server go before it is needed.
  await clients.claim();
}

async function page(request) {
  try {
    const answer = await fetch(request);
    if (answer.status < 500) return answer;
  } catch {
    // The server is gone.
  }
  const cache = await caches.open(KEPT);
  return (await cache.match(registration.scope, { ignoreVary: true })) ?? Response.error();
}

async function file(request) {
  const cache = await caches.open(KEPT);
  return (await cache.match(request.url, { ignoreVary: true })) ?? fetch(request);
}

/** A page says of which build it is, and learns ours. If it is ours and no other page is open, nobody is waited for. */
async function meet(event) {
  event.ports[0].postMessage(BUILD);
  if (event.data !== BUILD) return;
  // A page that was just closed, or left by a reload, is counted for a while yet: nobody would ask again.
  for (let look = 0; look < LOOKS; look += 1) {
    const open = await clients.matchAll({ type: "window", includeUncontrolled: true });
    if (open.length <= 1) return skipWaiting();
    await new Promise((later) => setTimeout(later, LOOK_MS));
  }
  return undefined;
}
