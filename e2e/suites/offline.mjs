// The lab without its server, after a first visit; and its upgrade, with a page of the build before still open.

import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { assert, check, until } from "../lib/check.mjs";
import { STRICT, host } from "../lib/host.mjs";
import { SOLVED, at, dist, openPage, shot, text } from "../lib/page.mjs";

const VERDICT = "#thundering-herd/hold?policy=lease&seed=3&clients=300";
const WHOLE = (count) => /^200 \/ 200$/.test(count.trim());

/** The caches of this origin, with the paths that each has. */
const kept = (page) =>
  page.evaluate(async () => {
    const names = await caches.keys();
    const paths = async (name) => (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname);
    return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await paths(name)])));
  });

/** Waits until the page could start without its server. */
const isKept = (page) =>
  until("the service worker", () => page.evaluate(() => navigator.serviceWorker.controller?.state), (state) => state === "activated");

/** Whether a file with a hash in its name is one that a private window remembers: an unoptimised module is too large. */
const isSmall = (path) => /-[0-9a-f]{8,16}[._]/.test(path) && statSync(join(dist, basename(path))).size < 4_000_000;

const buildOf = (page) => page.evaluate(() => document.querySelector("meta[name=build]").content);
const noErrors = (errors) => {
  // Chromium notes each request that finds no server; the API is the only one that is made.
  const others = errors.filter((error) => !/net::ERR_CONNECTION_REFUSED/.test(error));
  assert(others.length === 0, others.join("\n"));
};

/** Another build: its script and its module have other names, and so has the build. */
function nextBuild() {
  const directory = mkdtempSync(join(tmpdir(), "cache-lab-e2e-"));
  const [, old] = readFileSync(join(dist, "index.html"), "utf8").match(/name="build" content="([0-9a-f]+)"/);
  const [, script] = readFileSync(join(dist, "index.html"), "utf8").match(/lab-web-([0-9a-f]+)\.js/);
  const renamed = (text) => text.replaceAll(script, "fedcba9876543210").replaceAll(old, "0123456789abcdef");
  for (const name of readdirSync(dist)) {
    cpSync(join(dist, name), join(directory, renamed(name)));
    if (/^(index\.html|service-worker\.js)$/.test(name)) {
      writeFileSync(join(directory, name), renamed(readFileSync(join(dist, name), "utf8")));
    }
  }
  return { directory, build: "0123456789abcdef" };
}

export async function keptForLater({ browser }) {
  if (!readFileSync(join(dist, "index.html"), "utf8").includes('name="build"')) {
    throw new Error("dist/ is no release build, which alone is kept for later: trunk build --release");
  }

  await check("after a first visit the lab runs without its server, with a verdict in its worker", async () => {
    const served = await host({ headers: { "content-security-policy": STRICT } });
    const { page, errors, close } = await openPage(browser, served.url, { progress: SOLVED, keeps: true });
    await at(page, "stage").waitFor();
    await isKept(page);
    const twice = served.asked.filter((path, at) => isSmall(path) && served.asked.indexOf(path) !== at);
    assert(twice.length === 0, `what is kept was sent a second time for that: ${twice}`);
    await served.close();
    // The page that is open has not needed a worker yet.
    await page.evaluate((hash) => (location.hash = hash), VERDICT);
    await until("the verdict of the open page", () => text(page, "verdict-count"), WHOLE);
    assert(page.workers().length === 1 && (await at(page, "on-page").count()) === 0, "no worker computed it");

    await page.reload();
    await at(page, "stage").waitFor();
    await until("the verdict", () => text(page, "verdict-count"), WHOLE);
    assert(page.workers().length === 1 && (await at(page, "on-page").count()) === 0, "no worker computed it");
    for (const address of [`${served.url}/#stampede-lock/fail`, `${served.url}/index.html#stampede-lock/fail`]) {
      const other = await page.context().newPage();
      await other.goto(address);
      await at(other, "run-verdict").waitFor();
      await shot(other, "offline");
      await other.close();
    }
    noErrors(errors);
    await close();
  });

  await check("the API is never kept, and neither is what is not the lab's", async () => {
    let asked = 0;
    const served = await host({
      answer: (_, name) => {
        if (name === "other.html") return { status: 200, type: "text/html", body: "<title>another page</title>" };
        if (!name.startsWith("api/")) return undefined;
        asked += 1;
        return { status: 200, type: "application/json", body: JSON.stringify({ asked }) };
      },
    });
    const { page, close } = await openPage(browser, served.url, { keeps: true });
    await isKept(page);
    const answers = await page.evaluate(async () => {
      const ask = () => fetch("api/scenarios").then((answer) => answer.json());
      return [await ask(), await ask()];
    });
    assert(answers[1].asked === answers[0].asked + 1, `the API is answered from a cache: ${JSON.stringify(answers)}`);
    const other = await page.context().newPage();
    await other.goto(`${served.url}/other.html`);
    assert((await other.title()) === "another page", "another page is answered with the lab");
    const [[name, paths], ...more] = Object.entries(await kept(page));
    assert(more.length === 0 && name.endsWith(await buildOf(page)), `the caches are ${name}, ${more}`);
    const files = readdirSync(dist).filter((file) => !/\.(br|gz)$|^(index\.html|service-worker\.js)$/.test(file));
    const expected = ["", ...files].map((file) => new URL(file, `${served.url}/`).pathname).sort();
    assert(JSON.stringify(paths.sort()) === JSON.stringify(expected), `kept: ${paths}`);
    await served.close();
    const why = await other.reload().then(() => other.title(), String);
    assert(why.includes("ERR_CONNECTION_REFUSED"), `without its server the other page is: ${why}`);
    await close();
  });

  await check("a proxy that has lost its server (502) still leads to the lab", async () => {
    const served = await host();
    const { page, close } = await openPage(browser, served.url, { keeps: true });
    await isKept(page);
    served.change({ answer: () => ({ status: 502, type: "text/html", body: "bad gateway" }) });
    await page.reload();
    await at(page, "stage").waitFor();
    await close();
    await served.close();
  });

  await check("an open page is told of an upgrade and keeps its files; reloaded, it is the new build, and the old one is gone", async () => {
    // The browser's own cache would hide that a file is gone.
    const served = await host({ headers: { "cache-control": "no-store" } });
    const next = nextBuild();
    const { page, errors, close } = await openPage(browser, served.url, { progress: SOLVED, keeps: true });
    await at(page, "stage").waitFor();
    await isKept(page);
    const before = await buildOf(page);
    served.change({ directory: next.directory });
    const second = await page.context().newPage();
    await second.goto(`${served.url}/`);
    await at(second, "stage").waitFor();
    assert((await buildOf(second)) === next.build, "a page that is opened now is of the old build");
    await page.locator(".newer").waitFor();
    await shot(page, "newer");
    // What it still needs was there before the upgrade.
    await page.evaluate((hash) => (location.hash = hash), VERDICT);
    await until("the verdict", () => text(page, "verdict-count"), WHOLE);
    assert((await at(page, "on-page").count()) === 0, "its worker did not start");
    await second.close();
    await page.locator(".newer button").first().click();
    await until("the new build", () => buildOf(page).catch(() => before), (build) => build === next.build);
    await at(page, "stage").waitFor();
    await until("the caches", () => kept(page).then(Object.keys), ([only, ...more]) => only.endsWith(next.build) && more.length === 0);
    assert((await page.locator(".newer").count()) === 0, "the new build is told of itself");
    await served.close();
    await page.reload();
    await at(page, "stage").waitFor();
    assert((await buildOf(page)) === next.build, "without the server the old build comes back");
    noErrors(errors);
    await close();
    rmSync(next.directory, { recursive: true });
  });
}
