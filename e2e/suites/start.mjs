// The start of the page where it is not at home: under a path, under a strict policy; and each reason for which it does
// not start, told by name, styled, in the browser's language alone.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

import { DEADLINE_MS, assert, check, until } from "../lib/check.mjs";
import { STRICT, host } from "../lib/host.mjs";
import { SOLVED, at, dist, openPage, shot, text } from "../lib/page.mjs";
import { misfits } from "../lib/looks.mjs";

const VERDICT = "#thundering-herd/hold?policy=lease&seed=3&clients=300";
const JAPANESE = /[\u3040-\u30ff]/;
const LOOKS = [
  { lang: "en-US", width: 1440, height: 900, dark: false },
  { lang: "ja-JP", width: 390, height: 844, dark: true },
];

const file = (pattern) => readdirSync(dist).find((name) => pattern.test(name) && !/\.(br|gz)$/.test(name));
const missing = (name) => (_, asked) => asked === name && { status: 404, type: "text/plain", body: "not found" };
const failure = (page) => page.locator(".boot[data-state=failed]");

export async function elsewhere({ browser }) {
  await check("under a path and the strictest policy the lab runs, with its verdict in a worker and its link to share", async () => {
    const served = await host({ headers: { "content-security-policy": STRICT } });
    const { page, errors, close } = await openPage(browser, served.url, { hash: VERDICT, progress: SOLVED });
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await at(page, "stage").waitFor();
    await until("the verdict", () => text(page, "verdict-count"), (count) => /^200 \/ 200$/.test(count.trim()));
    assert(page.workers().length === 1 && (await at(page, "on-page").count()) === 0, "no worker computed it");
    await at(page, "share").click();
    const link = await until("the link", () => page.evaluate(() => navigator.clipboard.readText()), Boolean);
    assert(link.startsWith(`${served.url}/#thundering-herd/hold`), link);
    await page.keyboard.press("5");
    const api = new URL(`${served.url}/api/scenarios`).pathname;
    await until("the question for a cluster", () => served.asked, (asked) => asked.includes(api) || asked.includes("/api/scenarios"));
    const outside = served.asked.filter((path) => !`${path}/`.startsWith(new URL(`${served.url}/`).pathname));
    assert(outside.length === 0, `asked for outside of ${served.url}: ${outside}`);
    assert(errors.length === 0, errors.join("\n"));
    await close();
    await served.close();
  });

  await check("no script and no style stands in the page, which brings the strictest policy itself", () => {
    const html = readFileSync(join(dist, "index.html"), "utf8");
    assert(!/<script(?![^>]* src=)/.test(html) && !/<style/.test(html) && !/ on[a-z]+=/.test(html), "something is inline");
    assert(html.includes(`content="${STRICT}"`), "the page has another policy");
    assert(!/(?:src|href)="\/[^"]/.test(html), "an address is absolute");
  });
}

/** Whether the page tells one reason, in one language and as it should look, with a way on. */
async function saysWhy(page, { kind, says = [], told: part }, { lang }, picture) {
  const told = kind === "not run"
    ? page.locator(`.told:lang(${lang.slice(0, 2)})`)
    : page.locator(`.boot[data-state=failed][data-reason=${kind}]`);
  await told.waitFor({ timeout: DEADLINE_MS });
  await until("the words", () => page.locator(".boot").evaluate((boot) => getComputedStyle(boot).opacity), (opacity) => opacity === "1");
  await shot(page, picture);
  const words = await page.locator("body").innerText();
  const isJapanese = lang === "ja-JP";
  assert(JAPANESE.test(words) === isJapanese, `it says: ${words}`);
  for (const one of [...says, part]) assert(words.includes(one), `${one} is not in: ${words}`);
  assert(isJapanese || !/[^\x00-\x7f…’]/.test(words), `it says: ${words}`);
  const heading = told.locator("h1:visible");
  assert((await heading.count()) === 1, `${await heading.count()} reasons are told: ${words}`);
  const style = await heading.evaluate((h1) => [getComputedStyle(h1).fontWeight, getComputedStyle(h1).fontFamily]);
  assert(style[0] >= 600 && !/Times/.test(style[1]), `the heading is not styled: ${style}`);
  const { x, width } = await heading.boundingBox();
  assert(x >= 16 && width <= 544, `the words stand from ${x}, ${width} pixels wide`);
  const wrong = await misfits(page);
  assert(wrong.length === 0, wrong.join("; "));
  assert((await told.locator("button:visible, a:visible").count()) === 1, "there is no way on");
}

/** Opens a page that cannot start, in every language and theme, and looks at what it says. */
async function refuses(browser, name, options, { kind, says, english, japanese }) {
  for (const look of LOOKS) {
    const where = `${look.lang.slice(0, 2)}-${look.width}`;
    await check(`${name} is told by name (${where})`, async () => {
      const served = options.served && (await options.served());
      // Without a script the page asks the browser itself for its language, and not what the context pretends.
      const own = kind === "not run" && look.lang === "ja-JP" ? await inJapanese() : undefined;
      try {
        const context = await (own ?? browser).newContext({
          locale: look.lang,
          colorScheme: look.dark ? "dark" : "light",
          viewport: { width: look.width, height: look.height },
          javaScriptEnabled: options.scripts ?? true,
          serviceWorkers: "block",
        });
        if (options.before) await context.addInitScript(options.before);
        const page = await context.newPage();
        await page.goto(options.url ?? `${served.url}/`);
        await saysWhy(page, { kind, says, told: look.lang === "ja-JP" ? japanese : english }, look, `start-${name.replace(/\W+/g, "-")}-${where}`);
        await context.close();
      } finally {
        // A browser that is left open keeps the test from ending.
        await own?.close();
        await served?.close();
      }
    });
  }
}

/** A browser whose own language is Japanese. */
const inJapanese = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--accept-lang=ja"],
  });

export async function cannotStart({ browser }) {
  const wasm = file(/\.wasm$/);
  const script = file(/^lab-web.*\.js$/);
  const sheet = file(/^frame.*\.css$/);
  const withPolicy = (policy) => ({ served: () => host({ headers: { "content-security-policy": policy } }) });
  const without = (name) => ({ served: () => host({ answer: missing(name) }) });
  const home = { served: () => host() };

  await refuses(browser, "a page opened as a file", { url: pathToFileURL(join(dist, "index.html")).href }, {
    kind: "file", says: ["python3 -m http.server", "file://"], english: "opened as a file", japanese: "ファイルとして",
  });
  await refuses(browser, "no JavaScript", { ...home, scripts: false }, {
    kind: "not run", english: "JavaScript is turned off", japanese: "JavaScript が無効",
  });
  await refuses(browser, "no WebAssembly", { ...home, before: () => delete window.WebAssembly }, {
    kind: "wasm", says: ["WebAssembly", "Safari 16"], english: "has no WebAssembly", japanese: "使えません",
  });
  await refuses(browser, "a policy that forbids WebAssembly", withPolicy("default-src 'self'; script-src 'self'"), {
    kind: "policy", says: ["script-src: WebAssembly", "'wasm-unsafe-eval'"], english: "forbids", japanese: "禁止",
  });
  await refuses(browser, "a policy that forbids connections", withPolicy(`${STRICT.replace("connect-src 'self'", "connect-src 'none'")}`), {
    kind: "policy", says: [`connect-src: ${wasm}`], english: "forbids", japanese: "禁止",
  });
  await refuses(browser, "a policy that forbids scripts", withPolicy("default-src 'self'; script-src 'none'"), {
    kind: "not run", says: ["start.js", "script-src 'self'"], english: "did not start", japanese: "開始できません",
  });
  await refuses(browser, "a missing first script", without(file(/^start.*\.js$/)), {
    kind: "not run", says: ["start.js"], english: "did not start", japanese: "開始できません",
  });
  for (const name of [wasm, script, sheet, file(/^start.*\.css$/), file(/^tokens.*\.css$/), file(/^run.*\.js$/)]) {
    await refuses(browser, `a missing ${name.replace(/-[0-9a-f]{8,16}/, "")}`, without(name), {
      kind: "missing", says: [`${name} (404)`], english: "is missing", japanese: "ファイルがありません",
    });
  }
  const front = async (_, name) => name === script && { status: 200, type: "text/html", body: readFileSync(join(dist, "index.html")) };
  await refuses(browser, "a front page instead of a file", { served: () => host({ answer: front }) }, {
    kind: "missing", says: [`${script} (text/html)`], english: "is missing", japanese: "ファイルがありません",
  });
  await refuses(browser, "a server that hangs up", { served: () => host({ answer: (_, name) => name === wasm && "hang up" }) }, {
    kind: "unreachable", says: [wasm], english: "did not arrive", japanese: "届きません",
  });
  await refuses(browser, "a browser without modules", { ...home, before: () => delete HTMLScriptElement.prototype.noModule }, {
    kind: "modules", says: ["Chrome / Edge 97"], english: "no JavaScript modules", japanese: "モジュール",
  });
  const before = () => {
    // A browser of 2020 knows neither: a table of references, nor several results of a function.
    const { validate } = WebAssembly;
    const isNewer = ([section, length]) => section === 4 || (section === 1 && length === 6);
    WebAssembly.validate = (bytes) => !isNewer(bytes.slice(8)) && validate.call(WebAssembly, bytes);
  };
  await refuses(browser, "a browser with an older WebAssembly", { ...home, before }, {
    kind: "features", says: ["multiple results\nreference types"], english: "lacks features", japanese: "機能が足りません",
  });
  const broken = async (_, name) => name === wasm && { status: 200, type: "application/wasm", body: readFileSync(join(dist, wasm)).subarray(0, 1000) };
  await refuses(browser, "a broken module", { served: () => host({ answer: broken }) }, {
    kind: "crash", says: ["CompileError"], english: "did not start", japanese: "開始できません",
  });
}

export async function stalePages({ browser }) {
  /** The page of the build before: its script had another name. */
  const older = () => {
    const page = readFileSync(join(dist, "index.html"), "utf8");
    return { status: 200, type: "text/html", body: page.replaceAll(/lab-web-[0-9a-f]+/g, "lab-web-0123456789abcdef") };
  };

  await check("a page from before an upgrade is loaded anew by itself, and starts", async () => {
    let pages = 0;
    const served = await host({ answer: (_, name) => name === "index.html" && (pages += 1) === 1 && older() });
    const { page, close } = await openPage(browser, served.url);
    await at(page, "stage").waitFor();
    assert(pages === 3, `the page was asked for ${pages} times, not: the old one, a look at the new one, the new one`);
    assert((await page.evaluate(() => sessionStorage.length)) === 0, "the mark of the reload stays");
    await close();
    await served.close();
  });

  await check("where a cache on the way keeps the old page, it is loaded anew once and then told", async () => {
    let opened = 0;
    const served = await host({
      answer: (request, name) => {
        const isOpened = name === "index.html" && request.headers["sec-fetch-mode"] === "navigate";
        opened += isOpened;
        return isOpened && older();
      },
    });
    const { page, close } = await openPage(browser, served.url);
    await failure(page).waitFor();
    assert((await failure(page).getAttribute("data-reason")) === "stale", await failure(page).innerText());
    assert((await failure(page).innerText()).includes("lab-web-0123456789abcdef.js"), await failure(page).innerText());
    assert(opened === 2, `the page was opened ${opened} times`);
    await shot(page, "start-stale");
    await failure(page).locator("button").click();
    await until("another look", () => opened, (times) => times === 3);
    await failure(page).waitFor();
    assert(opened === 3, `the page was opened ${opened} times`);
    await close();
    await served.close();
  });
}
