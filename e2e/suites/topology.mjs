// Recordings of clusters of other sizes: the stage draws the nodes that the trace names, and no others.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { assert, check, until } from "../lib/check.mjs";
import { SOLVED, at, chosen, openPage, root, shot } from "../lib/page.mjs";

/** App servers, Redis masters, replicas a master, PostgreSQL replicas. */
const SIZES = [[1, 1, 0, 0], [4, 3, 1, 2], [4, 6, 1, 2], [8, 12, 1, 3]];

/** The recordings by size, made by the simulator. */
function recordings() {
  const directory = join(root, "target/topologies");
  const names = SIZES.map((size) => size.join("-"));
  const made = spawnSync("cargo", ["run", "-q", "-p", "lab-core", "--example", "topology", "--", directory, ...names], { cwd: root });
  assert(made.status === 0, `the example topology: ${made.stderr}`);
  return names.map((name) => readFileSync(join(directory, `${name}.jsonl`), "utf8"));
}

/** Every node on the stage: its name, its box, whether it is drawn as down or as paused. */
const nodes = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('[data-testid="stage"] [data-testid]')]
      .filter((node) => /^(server-|redis-|pg-)/.test(node.dataset.testid))
      .map((node) => {
        const box = node.querySelector("rect.box");
        const { left, right, top, bottom } = box.getBoundingClientRect();
        const is = (drawn) => box.classList.contains(drawn);
        return { name: node.dataset.testid, left, right, top, bottom, down: is("down"), paused: is("paused") };
      }),
  );

/** The texts on the stage, with their boxes. */
const words = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('[data-testid="stage"] text')].map((text) => {
      const { left, right, top, bottom } = text.getBoundingClientRect();
      return { text: text.textContent.trim(), left, right, top, bottom };
    }),
  );

const meet = (one, other) =>
  Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1 &&
  Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 2;

export async function topologies({ browser, url }) {
  const files = recordings();
  for (const [width, height] of [[1440, 900], [390, 844]]) {
    for (const [place, [servers, masters, , replicas]] of SIZES.entries()) {
      const name = SIZES[place].join("-");
      await check(`a cluster of ${name} is drawn as it is, ${width} px wide`, async () => {
        const { page, errors, close } = await openPage(browser, url, {
          hash: "#invalidation-delay/real?policy=lesson&seed=1",
          progress: SOLVED,
          width,
          height,
        });
        await at(page, "open-recording").setInputFiles(chosen(`${name}.jsonl`, files[place]));
        await at(page, "from-file").waitFor();
        await page.keyboard.press("End");
        const found = await until("the nodes", () => nodes(page), (all) => all.length > 0 && (servers === 1 || all.some((node) => node.down)));
        const count = (kind) => found.filter((node) => kind.test(node.name)).length;
        const counted = [count(/^server-/), count(/^redis-[a-z]$/), count(/^pg-replica-/), count(/^pg-primary$/)];
        assert(`${counted}` === `${[servers, masters, replicas, 1]}`, `${counted} nodes are drawn`);
        const drawn = (how) => found.filter((node) => node[how]).map((node) => node.name);
        const struck = masters > 2 ? [["pg-replica-1"], ["redis-c", "pg-replica-2"]] : [[], []];
        const down = [...(servers > 1 ? [`server-${servers}`] : []), ...struck[0]];
        assert(`${drawn("down")}` === `${down}`, `drawn as down: ${drawn("down")}`);
        assert(`${drawn("paused")}` === `${struck[1]}`, `drawn as paused: ${drawn("paused")}`);
        // Its master came back, and follows: who leads is told.
        const home = page.locator('[data-testid="redis-a"]');
        if (masters > 2) assert(/replica$/.test(await home.getAttribute("aria-label")), "nobody is told that redis-a follows");
        for (const [index, one] of found.entries()) {
          for (const other of found.slice(index + 1)) assert(!meet(one, other), `${one.name} covers ${other.name}`);
        }
        const written = await words(page);
        for (const [index, one] of written.entries()) {
          for (const other of written.slice(index + 1)) assert(!meet(one, other), `"${one.text}" covers "${other.text}"`);
        }
        assert((await page.locator('[data-testid="stage"] path.cut').count()) === 2, "not both cuts are drawn");
        assert(errors.length === 0, errors.join("; "));
        await shot(page, `topology-${width}-${name}`);
        await close();
      });
    }
  }
}
