// The end-to-end test: a person's way through the built lab, in the installed Chromium.
//
//   node e2e/run.mjs                     serves dist/ itself, on a free port of the loopback interface
//   LAB=target/debug/lab node e2e/run.mjs   opens recordings of `lab run` too, starts `lab serve`, and a run on real
//                                        servers from the page
//
// It prints one line a check and "N passed, M failed", leaves screenshots in test-results/, and exits 1 when a check
// failed. Nothing is retried: a check polls for what it wants, with a deadline.

import { chromium } from "playwright-core";
import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { createReadStream, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const results = join(root, "test-results");
const browserPath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const DEADLINE_MS = 60_000;

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

let passed = 0;
const failures = [];

/** Runs one check; a failure is noted and the next check goes on. */
async function check(name, body) {
  const begun = Date.now();
  try {
    await body();
    passed += 1;
    console.log(`ok    ${name} (${Date.now() - begun} ms)`);
  } catch (error) {
    failures.push(name);
    console.log(`FAIL  ${name}\n      ${String(error.message ?? error).split("\n").slice(0, 6).join("\n      ")}`);
  }
}

function assert(condition, message) {
  if (!condition) throw new Error(message);
}

/** Serves dist/ as any static host would; there is no API. */
async function serveDist() {
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
async function serveLab(lab) {
  const server = spawn(lab, ["serve", "--listen", "127.0.0.1:0", "--dist", dist], { stdio: ["ignore", "pipe", "pipe"] });
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

/** A page that notes what goes wrong in it. */
async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    colorScheme: options.dark ? "dark" : "light",
    locale: options.lang ?? "en-US",
    reducedMotion: options.still ? "reduce" : "no-preference",
  });
  if (options.progress) {
    await context.addInitScript(
      (progress) => localStorage.setItem("cache-lab-progress", JSON.stringify(progress)),
      options.progress,
    );
  }
  if (options.before) await context.addInitScript(options.before);
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => {
    // Without a server the question whether there is one is answered 404: that is an answer.
    const isProbe = message.location().url.includes("/api/scenarios");
    if (message.type() === "error" && !isProbe) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.setDefaultTimeout(DEADLINE_MS);
  await page.goto(`${url}/${options.hash ?? ""}`);
  return { page, errors, close: () => context.close() };
}

const at = (page, id) => page.locator(`[data-testid="${id}"]`);
const text = (page, id) => at(page, id).innerText();

/** Polls until `read` gives what `wanted` accepts. */
async function until(what, read, wanted) {
  const end = Date.now() + DEADLINE_MS;
  let seen;
  while (Date.now() < end) {
    seen = await read();
    if (wanted(seen)) return seen;
    await new Promise((later) => setTimeout(later, 50));
  }
  throw new Error(`${what}: still ${JSON.stringify(seen)} after ${DEADLINE_MS / 1000} s`);
}

const eventNumber = async (page) => Number((await text(page, "event-count")).replace(/,/g, "").match(/(\d+)/)[1]);
const shot = (page, name) => page.screenshot({ path: join(results, `${name}.png`) });

/** Capsules that lie on something that is to be read, or beyond the stage. */
const collisions = (page) =>
  page.evaluate(() => {
    const box = (element) => element.getBoundingClientRect();
    const meet = (one, other) =>
      Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1 &&
      Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 1;
    const stage = document.querySelector('[data-testid="stage"]');
    const capsules = [...stage.querySelectorAll('[data-testid="capsule"]')];
    const words = [...stage.querySelectorAll("text")].filter((text) => !text.closest('[data-testid="capsule"]'));
    const scale = stage.getScreenCTM().a;
    const right = box(stage).left + (box(stage).width - stage.viewBox.baseVal.width * scale) / 2 +
      (820 - stage.viewBox.baseVal.x) * scale;
    return capsules.flatMap((capsule) => {
      const own = box(capsule.querySelector(".cap"));
      const said = capsule.textContent;
      return [
        ...words.filter((word) => meet(own, box(word))).map((word) => `${said} lies on ${word.textContent}`),
        ...capsules.filter((other) => other !== capsule && meet(own, box(other.querySelector(".cap")))).map(
          (other) => `${said} lies on ${other.textContent}`),
        ...(window.innerWidth > 720 && own.right > right + 2 ? [`${said} is beyond the ruler`] : []),
      ];
    });
  });

/** Controls without a name for those who cannot see them. */
const nameless = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("button, a[href], input, select, summary, [tabindex='0']")]
      .filter((control) => control.getClientRects().length > 0)
      .filter((control) => {
        const label = control.closest("label")?.textContent ?? "";
        const name = control.getAttribute("aria-label") ?? control.textContent + label;
        return name.trim() === "";
      })
      .map((control) => control.outerHTML.slice(0, 90)),
  );

/** What sticks out of the window sideways, or is smaller than its text, among what must not. */
const misfits = (page) =>
  page.evaluate(() => {
    const wide = document.documentElement.scrollWidth > window.innerWidth + 1;
    const cut = [...document.querySelectorAll(".btn, .seg button, .st, .verd b, .ptabs button, .chip, .clock")]
      .filter((element) => element.getClientRects().length > 0)
      .filter((element) => {
        const box = element.getBoundingClientRect();
        const scrolls = element.closest(".ptabs, .shead, .panes");
        return !scrolls && (box.right > window.innerWidth + 1 || box.left < -1);
      })
      .map((element) => element.textContent.trim());
    return [...(wide ? ["the page scrolls sideways"] : []), ...cut];
  });

async function invalidationDelay(browser, url) {
  const { page, errors, close } = await openPage(browser, url);

  await check("the lab opens with the first lesson, its future veiled", async () => {
    await at(page, "stage").waitFor();
    await at(page, "veil").waitFor();
    assert((await text(page, "run-verdict")).includes("Not run yet"), "a verdict is shown before the prediction");
    assert((await text(page, "event-count")).trim() === "event 52", `the length is told: ${await text(page, "event-count")}`);
    const drawn = await at(page, "timeline").evaluate((timeline) => timeline.textContent);
    assert(!/folded|\+\d|acknowledged/.test(drawn), `the timeline gives the answer away: ${drawn}`);
    for (const [tab, secret] of [["test", "go-to-violation"], ["policy", "verdict"], ["policy", "cost"]]) {
      await at(page, `tab-${tab}`).click();
      assert((await at(page, secret).count()) === 0, `the ${tab} panel gives the answer away (${secret})`);
    }
    await at(page, "tab-story").click();
    await shot(page, "predict");
  });

  await check("the veil cannot be stepped through", async () => {
    const before = await eventNumber(page);
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowRight");
    assert((await eventNumber(page)) === before, "the hidden part of the run was shown");
  });

  await check("a prediction plays the run to its first violation, and the test fails there", async () => {
    await at(page, "answer-some").check({ force: true });
    await at(page, "reveal-button").click();
    await until("the verdict", () => text(page, "run-verdict"), (verdict) => verdict.includes("Red"));
    await at(page, "failing-line").waitFor();
    assert((await text(page, "failure")).includes("at most 0"), "the failing line does not say what was wanted");
    assert((await text(page, "banner")).includes("should fail"), "the banner is missing");
    assert((await page.locator('[data-testid="server-3"][data-fresh="stale"]').count()) === 1, "server 3 is not stale");
    await shot(page, "red");
  });

  await check("the answer is kept and shown beside what happened", async () => {
    await at(page, "tab-story").click();
    await at(page, "reveal").waitFor();
    const told = await text(page, "story");
    assert(told.includes("Your guess") && told.includes("What happened"), `the story says: ${told}`);
    await shot(page, "story-reveal");
  });

  await check("stepping back and forth comes back to the same event, stage and sentence", async () => {
    await at(page, "step-step").click();
    const picture = () => page.locator(".server").evaluateAll((cards) => cards.map((card) => card.textContent));
    const before = [await eventNumber(page), await text(page, "narration"), await picture()];
    for (let step = 0; step < 12; step += 1) await page.keyboard.press("ArrowLeft");
    await until("twelve events back", () => eventNumber(page), (number) => number === before[0] - 12);
    for (let step = 0; step < 12; step += 1) await page.keyboard.press("ArrowRight");
    await until("twelve events on", () => eventNumber(page), (number) => number === before[0]);
    const after = [await eventNumber(page), await text(page, "narration"), await picture()];
    assert(JSON.stringify(after) === JSON.stringify(before), `${JSON.stringify(after)} is not ${JSON.stringify(before)}`);
  });

  await check("the space-time diagram says that nothing could have told the server of the commit", async () => {
    await page.keyboard.press("l");
    const caption = await at(page, "past-caption").textContent();
    assert(caption.startsWith("No chain of messages leads from the commit of v2"), `the caption says: ${caption}`);
    await shot(page, "space-time");
    await at(page, "view-lanes").click();
    await until("the caption", () => at(page, "past-caption").count(), (count) => count === 0);
  });

  await check("the Code panel highlights a line of the cache, and another one for another request", async () => {
    const options = await at(page, "follow").locator("option").evaluateAll((all) =>
      all.map((option) => ({ value: option.value, text: option.textContent })),
    );
    const places = new Set();
    for (const wanted of ["write", "read"]) {
      const option = options.find((one) => one.text.includes(` ${wanted} `));
      assert(option, `no ${wanted} can be followed`);
      await at(page, "follow").selectOption(option.value);
      await at(page, "current-line").waitFor();
      const file = await page.locator('[data-testid="code"] .path').innerText();
      assert(file.startsWith("lab-core/src/"), `the file is ${file}`);
      places.add(`${file}:${await at(page, "current-line").getAttribute("data-line")}`);
    }
    assert(places.size === 2, `both requests are at ${[...places]}`);
    await at(page, "follow").selectOption("");
  });

  await check("the highlighted line moves while the write is stepped through", async () => {
    const places = new Set();
    for (let step = 0; step < 40; step += 1) {
      await page.keyboard.press("ArrowLeft");
      const line = at(page, "current-line");
      if ((await line.count()) > 0) places.add(await line.getAttribute("data-line"));
      if (step === 20) await shot(page, "step");
    }
    assert(places.size >= 4, `only the lines ${[...places]} were seen`);
  });

  await check("acknowledged invalidation holds for 200 of 200 seeds", async () => {
    await at(page, "step-hold").click();
    await at(page, "switch-acknowledged-invalidation").click();
    await until("the verdict", () => text(page, "verdict-count"), (count) => /^200 \/ 200$/.test(count.trim()));
    await until("the run", () => text(page, "run-verdict"), (verdict) => verdict.includes("Green"));
    await until("the mark", () => page.locator('[data-testid="lesson-invalidation-delay"] .k-green').count(), (n) => n > 0);
    assert(page.workers().length === 1, "the verdict was not computed in a worker");
    await shot(page, "green");
  });

  await check("a wrong fix is red, and a red seed opens its very run", async () => {
    await at(page, "preset-short-ttl").click();
    await at(page, "open-red").waitFor();
    await at(page, "open-red").click();
    await until("the run", () => text(page, "run-verdict"), (verdict) => verdict.includes("Red"));
  });

  await check("the back button goes back to the policy before", async () => {
    // The red seed may be the one that was shown already: then opening it left no entry of its own.
    for (let back = 0; back < 2 && !page.url().includes("policy=acknowledged"); back += 1) await page.goBack();
    const pressed = at(page, "preset-acknowledged");
    await until("the policy", () => pressed.getAttribute("aria-pressed"), (on) => on === "true");
  });

  await check("the events can be filtered, and one of them chosen", async () => {
    await page.keyboard.press("/");
    await page.locator("#event-filter").fill("invalidate");
    const rows = page.locator(".log .ev");
    await until("the rows", () => rows.count(), (count) => count > 0 && count < 30);
    await rows.first().click();
    assert((await text(page, "narration")).includes("invalidation"), await text(page, "narration"));
  });

  await check("the playhead can be dragged", async () => {
    const box = await at(page, "timeline").boundingBox();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.12, box.y + 40, { steps: 5 });
    await page.mouse.up();
    const early = await eventNumber(page);
    await page.keyboard.press("End");
    assert(early < (await eventNumber(page)) / 2, `event ${early} is not early`);
  });

  await check("without a server the real cluster says how to start one", async () => {
    await at(page, "world-real").click();
    const told = await until("the box", () => text(page, "real"), (told) => !told.includes("Looking"));
    assert(told.includes("cargo xtask serve") || told.includes("Run on the real cluster"), told);
    await shot(page, "real");
  });

  await check("nothing went wrong in the console", () => assert(errors.length === 0, errors.join("\n")));
  await close();
}

async function otherScenarios(browser, url) {
  const herd = await openPage(browser, url, { hash: "#thundering-herd/fail?policy=unprotected" });
  await check("the herd of 1000 clients is computed, and more than 100 queries reach the database", async () => {
    await until("the verdict", () => text(herd.page, "run-verdict"), (verdict) => verdict.includes("Red"));
    await shot(herd.page, "herd");
    const queries = async () =>
      Number((await herd.page.locator('[data-testid="figure-db-queries"] b').innerText()).replace(/,/g, ""));
    const soFar = await queries();
    await herd.page.keyboard.press("End");
    assert((await queries()) > 100, `${await queries()} queries`);
    assert(soFar < 100, `${soFar} queries are shown at the first event too many, which is the second query`);
  });
  await check("a crowded lane is a tint, and what only informs is told apart from the goal", async () => {
    assert((await at(herd.page, "tint").count()) > 0, "the lanes of the herd have no tint");
    const informs = await text(herd.page, "check-queries-under-100");
    assert(informs.includes("informs"), `the check says: ${informs}`);
    assert((await at(herd.page, "informs").count()) === 1, "the Test panel does not say that the check informs only");
  });
  await check("a step at 1000 clients fits into a frame", async () => {
    const took = await herd.page.evaluate(async () => {
      const button = document.querySelector('[data-testid="step"]');
      const times = [];
      for (let step = 0; step < 40; step += 1) {
        const begun = performance.now();
        button.click();
        await new Promise((painted) => requestAnimationFrame(painted));
        times.push(performance.now() - begun);
      }
      return times.sort((a, b) => a - b)[20];
    });
    assert(took < 50, `the median step took ${took.toFixed(1)} ms`);
  });
  await check("a lease across the fleet leaves one query", async () => {
    await at(herd.page, "step-hold").click();
    await at(herd.page, "preset-lease").click();
    await until("the verdict", () => text(herd.page, "run-verdict"), (verdict) => verdict.includes("Green"));
    const queries = await herd.page.locator('[data-testid="figure-db-queries"] b').innerText();
    assert(queries === "1", `${queries} queries`);
  });
  await check("no error in the herd's console", () => assert(herd.errors.length === 0, herd.errors.join("\n")));
  await herd.close();

  const lock = await openPage(browser, url, { hash: "#stampede-lock/fail" });
  await check("ten requests compute ten times without a lock, once with it", async () => {
    await until("the verdict", () => text(lock.page, "run-verdict"), (verdict) => verdict.includes("Red"));
    const computed = async () => {
      await lock.page.keyboard.press("End");
      return lock.page.locator('[data-testid="figure-computations"] b').innerText();
    };
    await shot(lock.page, "stampede");
    assert((await computed()) === "10", `computed ${await computed()} times`);
    await at(lock.page, "step-hold").click();
    await at(lock.page, "switch-lock").click();
    await until("the verdict", () => text(lock.page, "run-verdict"), (verdict) => verdict.includes("Green"));
    assert((await computed()) === "1", `computed ${await computed()} times`);
  });
  await check("no error in the stampede's console", () => assert(lock.errors.length === 0, lock.errors.join("\n")));
  await lock.close();
}

async function links(browser, url) {
  const hash = "#invalidation-delay/step/events?policy=strong-reads&seed=5&at=40";
  const shared = await openPage(browser, url, { hash });
  await check("a link opens the same run at the same event", async () => {
    await until("the event", () => eventNumber(shared.page).catch(() => 0), (number) => number === 41);
    assert((await at(shared.page, "tab-events").getAttribute("aria-selected")) === "true", "the panel is another one");
  });
  await shared.close();
  const bad = await openPage(browser, url, { hash: "#invalidation-delay/nowhere?seed=seven" });
  await check("a bad link says what was ignored", async () => {
    const notice = await text(bad.page, "notice");
    assert(notice.includes("nowhere") && notice.includes("seed=seven"), notice);
  });
  await bad.close();
}

/** A herd small enough for a verdict in seconds, and large enough that it is not over at once. */
const VERDICT = "#thundering-herd/hold?policy=lease&seed=3&clients=300";
const WHOLE = (count) => /^200 \/ 200$/.test(count.trim());

async function deadWorkers(browser, url) {
  await check("a verdict whose worker is gone goes on in the page to its last seed", async () => {
    const opened = await openPage(browser, url, {
      hash: VERDICT,
      progress: SOLVED,
      before: () => {
        // The third message of the first worker is its last: it is ended as a browser short of memory ends one.
        let hired = 0;
        const Hired = window.Worker;
        window.Worker = class extends Hired {
          constructor(...how) {
            super(...how);
            let heard = 0;
            const mortal = (hired += 1) === 1;
            this.addEventListener("message", () => mortal && (heard += 1) === 3 && this.terminate());
          }
        };
      },
    });
    const { page } = opened;
    await at(page, "on-page").waitFor();
    await until("the verdict", () => text(page, "verdict-count"), WHOLE);
    assert((await at(page, "verdict-failure").count()) === 0, "it is told as failed");
    assert(opened.errors.length === 0, opened.errors.join("\n"));
    await opened.close();
  });

  await check("a verdict whose worker breaks off says so, and Retry keeps the seed", async () => {
    const { page, close } = await openPage(browser, url, { hash: VERDICT, progress: SOLVED });
    await until("some seeds", () => text(page, "verdict-count"), (count) => !count.startsWith("0 "));
    await page.workers()[0].evaluate(() => setTimeout(() => { throw new Error("the seed broke it"); }));
    await at(page, "verdict-failure").waitFor();
    assert((await text(page, "verdict-failure")).includes("the seed broke it"), await text(page, "verdict-failure"));
    await at(page, "try-seeds").click();
    await until("the verdict", () => text(page, "verdict-count"), WHOLE);
    assert(page.url().includes("seed=3"), page.url());
    await close();
  });
}

const SOLVED = {
  "invalidation-delay": { mark: "red", guess: 1 },
  "thundering-herd": { mark: "red", guess: 1 },
  "stampede-lock": { mark: "red", guess: 1 },
};

/** What a person would choose in the file dialogue. */
const chosen = (name, content) => ({ name, mimeType: "text/plain", buffer: Buffer.from(content) });

/** The recording of a simulated run, as `lab run --trace` writes it, told to be of real servers. */
function recording(lab, ...how) {
  const file = join(results, "run.jsonl");
  const { status, stderr } = spawnSync(lab, ["run", ...how, "--trace", file]);
  assert(status === 0 || status === 1, `lab run: ${stderr}`);
  return readFileSync(file, "utf8");
}

async function files(browser, url, lab) {
  const { page, errors, close } = await openPage(browser, url, {
    hash: "#invalidation-delay/real?policy=lesson&seed=1",
    progress: SOLVED,
  });
  const open = (name, content) => at(page, "open-recording").setInputFiles(chosen(name, content));
  const simulated = recording(lab, "stampede-lock", "--policy", "lock", "--seed", "7");
  const real = simulated.replace('"world":"sim"', '"world":"real"');

  await check("a file that is no whole recording is refused with a reason, and changes nothing", async () => {
    await until("the box", () => text(page, "real"), (told) => !told.includes("Looking"));
    await until("the address", async () => page.url(), (address) => address.includes("at="));
    const before = page.url();
    const bad = [
      ["bare events", real.slice(real.indexOf("\n") + 1), "which run it is"],
      ["cut off", real.slice(0, -40), "cut off"],
      ["changed", real.replace('"at":', '"at":1'), ""],
      ["of another format", real.replace('"format":1', '"format":9'), "format 9"],
    ];
    for (const [name, content, reason] of bad) {
      await open(`${name}.jsonl`, content);
      await until(name, () => at(page, "refused").allInnerTexts(), ([told]) => told?.includes(name) && told.includes(reason));
    }
    assert(page.url() === before, `${page.url()} is not ${before}`);
    assert((await at(page, "from-file").count()) === 0, "a refused file is shown");
    await shot(page, "recording-refused");
  });

  await check("a recording opens the run that it names, and earns no mark", async () => {
    await open("run.jsonl", real);
    await at(page, "from-file").waitFor();
    await until("the address", async () => page.url(), (address) => /stampede-lock\/real\?policy=lock&seed=7/.test(address));
    assert((await text(page, "run-verdict")).includes("Green"), await text(page, "run-verdict"));
    const mark = page.locator('[data-testid="lesson-stampede-lock"] .k-ring');
    assert((await mark.count()) === 0, "it earned the mark of a real run");
    assert((await text(page, "events")).includes("A recording of a real run, from a file"), await text(page, "events"));
    await shot(page, "recording-opened");
  });

  await check("a recording of the simulator is made again there", async () => {
    await open("simulated.jsonl", simulated);
    await at(page, "notice").waitFor();
    const told = await text(page, "notice");
    assert(told.includes("recording of the simulator") && !told.includes("differs"), told);
    assert((await at(page, "world-sim").getAttribute("aria-pressed")) === "true", "the simulator is not shown");
  });

  await check("nothing went wrong in the console while files were opened", () => assert(errors.length === 0, errors.join("\n")));
  await close();
}

async function progressFiles(browser, url) {
  const { page, errors, close } = await openPage(browser, url, { hash: "#stampede-lock/fail", progress: SOLVED });
  const kept = () => page.evaluate(() => JSON.parse(localStorage.getItem("cache-lab-progress")));
  const take = (content) => at(page, "progress-import").setInputFiles(chosen("progress.json", content));
  await check("progress is exported, forgotten and imported again; a bad file changes nothing", async () => {
    await until("the mark", kept, (progress) => progress["stampede-lock"].mark === "red");
    await page.locator('[data-testid="progress-menu"] summary').click();
    const link = await at(page, "progress-export").getAttribute("href");
    const exported = decodeURIComponent(link.slice(link.indexOf(",") + 1));
    assert(JSON.parse(exported).lessons["thundering-herd"].guess === 1, exported);
    await take(exported.replace('"red"', '"won"'));
    await at(page, "progress-refused").waitFor();
    assert((await kept())["invalidation-delay"].mark === "red", "a bad file took progress away");
    await shot(page, "progress");
    await at(page, "progress-reset").click();
    await at(page, "progress-forget").click();
    await until("the progress", kept, (progress) => Object.keys(progress).length === 0);
    await take(exported);
    await until("the progress", kept, (progress) => progress["invalidation-delay"]?.mark === "red");
    assert((await at(page, "progress-refused").count()) === 0, "the refusal of another file still stands there");
  });
  await check("no error in the console of progress", () => assert(errors.length === 0, errors.join("\n")));
  await close();
}

async function keptProgress(browser, url) {
  await check("two tabs add to one progress, and what neither can read stays in it", async () => {
    const { page, errors, close } = await openPage(browser, url);
    const kept = () => page.evaluate(() => JSON.parse(localStorage.getItem("cache-lab-progress")));
    const seeItFail = async (tab) => {
      await at(tab, "run-verdict").waitFor();
      await tab.keyboard.press("2");
    };
    await at(page, "run-verdict").waitFor();
    const stored = { "thundering-herd": { guess: null, mark: "won" }, "split-brain": { mark: "red" } };
    await page.evaluate((told) => localStorage.setItem("cache-lab-progress", JSON.stringify(told)), stored);
    const second = await page.context().newPage();
    await second.goto(`${url}/#stampede-lock`);
    await seeItFail(second);
    await until("the second tab's mark", kept, (progress) => progress["stampede-lock"]?.mark === "red");
    await page.bringToFront();
    await seeItFail(page);
    await until("the first tab's mark", kept, (progress) => progress["invalidation-delay"]?.mark === "red");
    const both = await kept();
    assert(both["stampede-lock"].mark === "red", `the second tab's mark is gone: ${JSON.stringify(both)}`);
    for (const slug of Object.keys(stored)) {
      assert(JSON.stringify(both[slug]) === JSON.stringify(stored[slug]), `${slug}: ${JSON.stringify(both)}`);
    }
    assert(errors.length === 0, errors.join("\n"));
    await close();
  });

  await check("seeds under which the situation does not arise make no lesson green, and are told", async () => {
    const { page, close } = await openPage(browser, url, {
      hash: "#invalidation-delay/hold?policy=+acknowledged-invalidation+strong-reads",
      progress: SOLVED,
    });
    await until("the seeds", () => at(page, "unshown").allInnerTexts(), ([told]) => told?.includes("200"));
    assert((await text(page, "verdict-count")).startsWith("0 /"), await text(page, "verdict-count"));
    const green = page.locator('[data-testid="lesson-invalidation-delay"] .k-green');
    assert((await green.count()) === 0, "the lesson is marked green");
    await shot(page, "verdict-unshown");
    await close();
  });
}

async function cannotStart(browser, url) {
  await check("a simulator that does not start says so, and offers to try again", async () => {
    const context = await browser.newContext();
    await context.route("**/*.wasm", (route) => route.abort());
    const page = await context.newPage();
    await page.goto(url);
    await page.locator(".boot[data-state=failed] button").waitFor({ timeout: DEADLINE_MS });
    await shot(page, "did-not-start");
    await context.close();
  });
}

async function capsulesKeepClear(browser, url) {
  const hashes = ["#invalidation-delay/step", "#thundering-herd/step?policy=unprotected", "#stampede-lock/step"];
  for (const [width, height] of [[1440, 900], [390, 844]]) {
    for (const hash of hashes) {
      const opened = await openPage(browser, url, {
        width, height, hash, still: true, progress: { [hash.slice(1).split("/")[0]]: { mark: "red", guess: 1 } },
      });
      await check(`${width}: no message covers words on the way through ${hash}`, async () => {
        await at(opened.page, "stage").waitFor();
        await until("the events", () => eventNumber(opened.page).catch(() => 0), (number) => number > 1);
        const wrong = new Set();
        for (let step = 0; step < 60; step += 1) {
          await opened.page.keyboard.press("ArrowRight");
          for (const one of await collisions(opened.page)) wrong.add(`event ${await eventNumber(opened.page)}: ${one}`);
        }
        assert(wrong.size === 0, [...wrong].slice(0, 5).join("; "));
      });
      await opened.close();
    }
  }
}

async function narrowScreens(browser, url) {
  const progress = { "invalidation-delay": { mark: "red", guess: 1 } };
  for (const [width, height] of [[800, 900], [390, 844]]) {
    const opened = await openPage(browser, url, { width, height, progress, hash: "#invalidation-delay/fail" });
    const { page } = opened;
    await check(`${width}: verdict, failing check, marks and tabs are on the first screen; the rest is a press away`, async () => {
      await at(page, "check-no-stale-read").waitFor();
      const bottom = async (id) => (await at(page, id).boundingBox()).y + (await at(page, id).boundingBox()).height;
      for (const id of ["run-verdict", "check-no-stale-read", "tab-test"]) {
        assert((await bottom(id)) < height - (width > 720 ? 0 : 64), `${id} is below the first screen`);
      }
      assert((await at(page, "mark-bad").count()) > 0, "no failed answer is marked on the scrubber");
      assert(!(await at(page, "check-all-answered").isVisible()), "the results did not collapse");
      await at(page, "results-more").click();
      await at(page, "check-all-answered").waitFor();
    });
    await check(`${width}: the menu opens the course, with its titles`, async () => {
      await at(page, "menu").click();
      await page.locator(".rail.open .tt", { hasText: "Thundering herd" }).waitFor();
      await page.keyboard.press("Escape");
      await page.locator(".rail.open").waitFor({ state: "detached" });
    });
    await opened.close();
  }
}

async function pictures(browser, url) {
  const progress = { "invalidation-delay": { mark: "red", guess: 1 } };
  const sizes = [[1440, 900], [1280, 720], [1100, 800], [800, 900], [390, 844]];
  for (const [width, height] of sizes) {
    for (const lang of ["en-US", "ja-JP"]) {
      for (const dark of [false, true]) {
        const name = `lab-${width}x${height}-${lang.slice(0, 2)}-${dark ? "dark" : "light"}`;
        const opened = await openPage(browser, url, { width, height, lang, dark, progress, hash: "#invalidation-delay/fail" });
        await check(`${name}: nothing sticks out, nothing is cut`, async () => {
          await at(opened.page, "stage").waitFor();
          await at(opened.page, "failing-line").waitFor({ state: "attached" });
          await shot(opened.page, name);
          const wrong = [...(await misfits(opened.page)), ...(await nameless(opened.page))];
          assert(wrong.length === 0, wrong.join("; "));
          const japanese = /[\u3040-\u30ff]/.test(await text(opened.page, "narration"));
          assert(japanese === (lang === "ja-JP"), `the narration is: ${await text(opened.page, "narration")}`);
          assert(opened.errors.length === 0, opened.errors.join("\n"));
        });
        await opened.close();
      }
    }
  }
}

async function realCluster(browser, lab) {
  const served = await serveLab(lab);
  try {
    const { page, errors, close } = await openPage(browser, served.url, {
      hash: "#invalidation-delay/real?policy=lesson&seed=1",
      progress: { "invalidation-delay": { mark: "red", guess: 1 } },
    });
    await check("Stop takes effect while the run is still being asked for, and nothing of that run comes later", async () => {
      let answer;
      const held = new Promise((release) => (answer = release));
      await page.route("**/api/runs", async (route) => {
        await held;
        await route.continue();
      });
      await at(page, "run-real").click();
      await at(page, "stop-real").click();
      await at(page, "run-real").waitFor();
      const streams = [];
      page.on("request", (request) => request.url().includes("/events") && streams.push(request.url()));
      const asked = page.waitForResponse("**/api/runs");
      const givenUp = page.waitForRequest((request) => request.method() === "DELETE");
      answer();
      const { id } = await (await asked).json();
      assert((await givenUp).url().endsWith(`/api/runs/${id}`), `${(await givenUp).url()} is given up, not run ${id}`);
      await until("the run that was given up", () => page.evaluate(
        (id) => fetch(`/api/runs/${id}`).then((run) => run.json()).then((run) => run.problem?.type), id,
      ), (type) => type === "urn:cache-lab:problem:given-up");
      await page.unroute("**/api/runs");
      // Whatever the page does with that answer, it has done before another question is answered.
      await page.evaluate(() => fetch("/api/health").then((health) => health.text()));
      assert(streams.length === 0, `the stopped run is followed: ${streams}`);
      await at(page, "stopped").waitFor();
    });
    await check("a server that is lost during a run is told, and its half run is dropped", async () => {
      const other = await serveLab(lab);
      const lost = await openPage(browser, other.url, { hash: "#stampede-lock/real?policy=lock", progress: SOLVED });
      await at(lost.page, "run-real").click();
      await until("the recording", () => text(lost.page, "real"), (told) => /Recording, [1-9]/.test(told));
      await other.crash();
      await until("the box", () => text(lost.page, "real"), (told) => told.includes("The lab server was lost"));
      assert((await at(lost.page, "run-verdict").count()) === 0, "half a run is shown");
      await shot(lost.page, "real-lost");
      await lost.close();
    });
    await check("a run on real servers is recorded, replayed in the same view, and set beside the simulator", async () => {
      await at(page, "run-real").click();
      const verdict = page.locator('[data-testid="run-verdict"], [data-testid="real"] .err');
      const told = await until("the verdict", () => verdict.allInnerTexts(), (texts) => texts.length > 0);
      assert(!told.some((line) => line.includes("did not come to an end")), await text(page, "real"));
      assert((await text(page, "run-verdict")).includes("Red on real"), await text(page, "run-verdict"));
      assert((await text(page, "comparison")).includes("All checks agree"), await text(page, "comparison"));
      await page.keyboard.press("Home");
      await page.keyboard.press("n");
      assert((await text(page, "narration")).includes("50 (v1)"), await text(page, "narration"));
      await shot(page, "real-recorded");
    });
    await check("no error in the console of the real run", () => assert(errors.length === 0, errors.join("\n")));
    await close();
  } finally {
    await served.close();
  }
}

mkdirSync(results, { recursive: true });
const served = await serveDist();
const browser = await chromium.launch({
  executablePath: browserPath,
  args: [
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
  ],
});
try {
  await invalidationDelay(browser, served.url);
  await otherScenarios(browser, served.url);
  await links(browser, served.url);
  await deadWorkers(browser, served.url);
  await progressFiles(browser, served.url);
  await keptProgress(browser, served.url);
  await cannotStart(browser, served.url);
  await capsulesKeepClear(browser, served.url);
  await narrowScreens(browser, served.url);
  await pictures(browser, served.url);
  if (process.env.LAB) {
    await files(browser, served.url, resolve(root, process.env.LAB));
    await realCluster(browser, resolve(root, process.env.LAB));
  } else {
    console.log("      recordings and the real cluster are left out: no LAB=path/to/lab was given");
  }
} finally {
  await browser.close();
  served.close();
}
console.log(`\n${passed} passed, ${failures.length} failed`);
if (failures.length > 0) {
  console.log(failures.map((name) => `  - ${name}`).join("\n"));
  process.exitCode = 1;
}
