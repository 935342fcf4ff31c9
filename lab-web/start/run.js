// Loads the lab and starts it; then makes it ready for a start without the server, and tells of a newer lab.
//
// The addresses are those of the page's preload links, which trunk writes. What goes wrong is told by `start.js`.

const { lang, fail, failed, isGone, lost, started } = window.labStart ?? {};

const WORDS = {
  en: { newer: "A newer lab is on the server.", reload: "Reload", later: "Later" },
  ja: { newer: "サーバーに新しいラボがあります。", reload: "再読み込み", later: "あとで" },
};
/** How often a page that is looked at again asks for a newer lab, in milliseconds. */
const ASK_EVERY = 10 * 60 * 1000;

/** A failure that is about one file. */
class Lost extends Error {
  constructor(address, cause) {
    super(String(cause));
    this.address = address;
  }
}

async function run() {
  const script = document.querySelector("link[rel=modulepreload][href*='lab-web']").href;
  const module = document.querySelector("link[rel=preload][href$='.wasm']").href;
  const wasm = ask(module);
  // It may fail while the script is still on its way; it is looked at below.
  wasm.catch(() => {});
  const { default: init } = await import(script).catch((cause) => {
    if (cause instanceof SyntaxError) throw cause;
    throw new Lost(script, cause);
  });
  const answer = await wasm;
  await Promise.all([...document.querySelectorAll("link[rel=stylesheet]")].map(settled));
  // A style sheet that did not come is told by now: the lab cannot be used without it.
  if (failed()) return;
  await init({ module_or_path: answer });
  started();
}

/** Waits until a style sheet has come, or is known not to come. */
function settled(link) {
  if (link.sheet || isGone(link.href)) return undefined;
  return new Promise((done) => ["load", "error"].forEach((end) => link.addEventListener(end, done)));
}

async function ask(module) {
  const answer = await fetch(module, { credentials: "same-origin" }).catch((cause) => {
    throw new Lost(module, cause);
  });
  const isPage = answer.headers.get("content-type")?.startsWith("text/html");
  if (!answer.ok || isPage) throw new Lost(module, answer.status);
  return answer;
}

/** Keeps the lab for later, where the browser can and the build said how. */
async function keep() {
  const build = document.querySelector("meta[name=build]")?.content;
  if (!build || !navigator.serviceWorker) return;
  const registration = await navigator.serviceWorker.register("service-worker.js");
  const look = () => registration.waiting && meet(registration.waiting, build);
  look();
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", look);
  });
  let asked = Date.now();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || Date.now() - asked < ASK_EVERY) return;
    asked = Date.now();
    // Without the network there is nothing newer to be had.
    registration.update().catch(() => {});
  });
}

/** A service worker of another build waits: it is this page's, which came from the network, or it is newer. */
function meet(waiting, build) {
  const channel = new MessageChannel();
  channel.port1.onmessage = ({ data }) => data !== build && tellOfNewer();
  waiting.postMessage(build, [channel.port2]);
}

function tellOfNewer() {
  if (document.querySelector(".newer")) return;
  const words = WORDS[document.documentElement.lang] ?? WORDS[lang];
  const bar = document.createElement("div");
  bar.className = "newer";
  bar.setAttribute("role", "status");
  const button = (text, press) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", press);
    return made;
  };
  bar.append(
    words.newer,
    button(words.reload, () => location.reload()),
    button(words.later, () => bar.remove()),
  );
  document.body.append(bar);
}

if (window.labStart && !failed()) {
  run().then(
    () => failed() || keep().catch((why) => console.info(`the lab is not kept for later: ${why}`)),
    (cause) => {
      if (cause instanceof Lost) lost(cause.address, cause.message);
      else fail(cause instanceof SyntaxError ? "syntax" : "crash", [String(cause)]);
    },
  );
}
