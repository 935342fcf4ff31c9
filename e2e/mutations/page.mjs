// What is broken in the page from outside: by a script that runs before the lab, or by a style.
//
// Each mutation names the suites that are run, and the checks that must turn red, each with a part of what it must say
// (a string, or a pattern). A name that ends in `…` stands for every check that begins so.

import { LOOKS } from "./looks.mjs";
import { lose, loseKey, redraw, reword, script, without } from "./ways.mjs";

const LESSON = [
  {
    name: "the question counts as answered already",
    script: script(() => localStorage.setItem("cache-lab-progress", '{"invalidation-delay":{"guess":1,"mark":"todo"}}')),
    suites: ["lesson"],
    red: { "the lab opens with the first lesson, its future veiled": "veil", "the veil cannot be stepped through": "the hidden part" },
  },
  {
    name: "Run and reveal does nothing",
    script: lose("click", '[data-testid="reveal-button"]'),
    suites: ["lesson", "narrow"],
    red: {
      "a prediction plays the run to its first violation, and the test fails there": "the verdict: still",
      "the answer is kept and shown beside what happened": "reveal",
      "800: the question is on the screen; the stage is while it plays, and then the failure": "failure",
      "390: the question is on the screen; the stage is while it plays, and then the failure": "must be in view",
    },
  },
  {
    name: "the failing line does not say what was wanted",
    script: reword("at most", "about"),
    suites: ["lesson"],
    red: { "a prediction plays the run to its first violation, and the test fails there": "does not say what was wanted" },
  },
  {
    name: "no server is shown as stale",
    script: without('[data-fresh="stale"]', "data-fresh"),
    suites: ["lesson"],
    red: { "a prediction plays the run to its first violation, and the test fails there": "server 3 is not stale" },
  },
  {
    name: "the guess is not shown beside what happened",
    script: reword("Your guess", "A guess"),
    suites: ["lesson"],
    red: { "the answer is kept and shown beside what happened": "the story says" },
  },
  {
    name: "a step on is lost now and then",
    script: loseKey("ArrowRight", 5),
    suites: ["lesson"],
    red: { "stepping back and forth comes back to the same event, stage and sentence": "twelve events on: still" },
  },
  {
    name: "what a server shows depends on the way there",
    script: script(() => {
      let steps = 0;
      window.addEventListener("keydown", (event) => {
        steps += event.key === "ArrowRight" ? 1 : 0;
        requestAnimationFrame(() => document.querySelectorAll(".server title, .server text").forEach((text) => {
          if (steps > 3 && !text.querySelector("tspan")) text.append(document.createElementNS("http://www.w3.org/2000/svg", "tspan"));
          const own = text.querySelector("tspan");
          if (own) own.textContent = ` ${steps}`;
        }));
      }, true);
    }),
    suites: ["lesson"],
    red: { "stepping back and forth comes back to the same event, stage and sentence": "is not" },
  },
  {
    name: "the caption of the space-time diagram says the opposite",
    script: reword("No chain of messages leads", "A chain of messages leads"),
    suites: ["lesson"],
    red: { "the space-time diagram says that nothing could have told the server of the commit": "the caption says: A chain" },
  },
  {
    name: "the Code panel follows no other request",
    script: lose("change", '[data-testid="follow"]') + lose("input", '[data-testid="follow"]'),
    suites: ["lesson"],
    red: { "the Code panel highlights a line of the cache, and another one for another request": /both requests|current-line/ },
  },
  {
    name: "the highlighted line stands still",
    script: redraw('[data-testid="current-line"]', (line) => line.dataset.line === "1" || line.setAttribute("data-line", "1")),
    suites: ["lesson"],
    red: { "the highlighted line moves while the write is stepped through": "only the lines 1 were seen" },
  },
  {
    name: "the switch of acknowledged invalidation does nothing",
    script: lose("click", '[data-testid="switch-acknowledged-invalidation"]'),
    suites: ["lesson"],
    red: { "acknowledged invalidation holds for 200 of 200 seeds": "the verdict: still" },
  },
  {
    name: "there are no workers",
    script: script(() => (window.Worker = undefined)),
    suites: ["lesson", "verdict"],
    red: {
      "acknowledged invalidation holds for 200 of 200 seeds": "not computed in a worker",
      "a verdict whose worker breaks off says so, and Retry keeps the seed": "undefined",
    },
  },
  {
    name: "a red seed opens nothing",
    script: lose("click", '[data-testid="open-red"]'),
    suites: ["lesson"],
    red: { "a wrong fix is red, and a red seed opens its very run": "the seed: still" },
  },
  {
    name: "no step leaves an entry to go back to",
    script: script(() => (history.pushState = history.replaceState)),
    suites: ["lesson"],
    red: { "the back button goes back to the policy before": /the policy: still|preset-acknowledged/ },
  },
  {
    name: "the filter of the events is deaf",
    script: lose("input", "#event-filter"),
    suites: ["lesson"],
    red: { "the events can be filtered, and one of them chosen": "the rows: still" },
  },
  {
    name: "an event of the list cannot be chosen",
    script: lose("click", ".log .ev"),
    suites: ["lesson"],
    red: { "the events can be filtered, and one of them chosen": "the event: still" },
  },
  {
    name: "the way to a cluster is not told",
    script: reword("cargo xtask serve", "it"),
    suites: ["lesson"],
    red: { "without a server the real cluster says how to start one": "No cluster here" },
  },
  {
    name: "the question for a server is never answered",
    script: script(() => {
      const ask = window.fetch;
      window.fetch = (what, ...how) => (String(what.url ?? what).includes("api/") ? new Promise(() => {}) : ask(what, ...how));
    }),
    suites: ["lesson"],
    red: { "without a server the real cluster says how to start one": "the box: still" },
  },
];

const SCENARIOS = [
  {
    name: "the key End is deaf",
    script: loseKey("End", 1),
    suites: ["scenarios"],
    red: {
      "the herd of 1000 clients is computed, and more than 100 queries reach the database": "queries",
      "ten requests compute ten times without a lock, once with it": "computed 0 times",
    },
  },
  {
    name: "no lane is crowded",
    script: without('[data-testid="tint"]', "data-testid"),
    suites: ["scenarios"],
    red: { "a crowded lane is a tint, and what only informs is told apart from the goal": "no tint" },
  },
  {
    name: "the Test panel does not say what only informs",
    script: without('[data-testid="informs"]', "data-testid"),
    suites: ["scenarios"],
    red: { "a crowded lane is a tint, and what only informs is told apart from the goal": "the Test panel does not say" },
  },
  {
    name: "what only informs is shown as a check of the goal",
    script: reword("informs", "fails"),
    suites: ["scenarios"],
    red: { "a crowded lane is a tint, and what only informs is told apart from the goal": "the check says" },
  },
  {
    name: "a step takes long",
    script: script(() => window.addEventListener("click", () => {
      const end = performance.now() + 90;
      while (performance.now() < end);
    }, true)),
    suites: ["scenarios"],
    red: { "a step at 1000 clients fits into a frame": "four of five steps took longer" },
  },
  {
    name: "the lease does nothing",
    script: lose("click", '[data-testid="preset-lease"]'),
    suites: ["scenarios"],
    red: { "a lease across the fleet leaves one query": "the verdict: still" },
  },
  {
    name: "the lock does nothing",
    script: lose("click", '[data-testid="switch-lock"]'),
    suites: ["scenarios"],
    red: { "ten requests compute ten times without a lock, once with it": "the verdict: still" },
  },
];

const VERDICT = [
  {
    name: "Retry does nothing",
    script: lose("click", '[data-testid="try-seeds"]'),
    suites: ["verdict"],
    red: { "a verdict whose worker breaks off says so, and Retry keeps the seed": "the verdict: still" },
  },
];

const PROGRESS = [
  {
    name: "a file of progress is not taken",
    script: lose("change", '[data-testid="progress-import"]'),
    suites: ["progress"],
    red: { "progress is exported, forgotten and imported again; a bad file changes nothing": "progress-refused" },
  },
  {
    name: "a bad file takes progress away",
    script: script(() => window.addEventListener("change", ({ target }) => {
      if (target.matches('[data-testid="progress-import"]')) localStorage.setItem("cache-lab-progress", "{}");
    })),
    suites: ["progress"],
    red: { "progress is exported, forgotten and imported again; a bad file changes nothing": "took progress away" },
  },
  {
    name: "nothing is forgotten",
    script: lose("click", '[data-testid="progress-forget"]'),
    suites: ["progress"],
    red: { "progress is exported, forgotten and imported again; a bad file changes nothing": "the progress: still" },
  },
  {
    name: "the tab that writes last overwrites what others wrote",
    script: script(() => {
      const keep = Storage.prototype.setItem;
      Storage.prototype.setItem = function (name, value) {
        const [own] = location.hash.slice(1).split("/");
        const isOwn = name === "cache-lab-progress" && JSON.parse(value)[own];
        return keep.call(this, name, isOwn ? JSON.stringify({ [own]: JSON.parse(value)[own] }) : value);
      };
    }),
    suites: ["progress"],
    red: { "two tabs add to one progress, and what neither can read stays in it": "the second tab's mark is gone" },
  },
  {
    name: "what cannot be read is left out of what is kept",
    script: script(() => {
      const keep = Storage.prototype.setItem;
      Storage.prototype.setItem = function (name, value) {
        const [own] = location.hash.slice(1).split("/");
        const all = name === "cache-lab-progress" ? JSON.parse(value) : {};
        return keep.call(this, name, all[own] ? JSON.stringify({ ...all, "split-brain": undefined }) : value);
      };
    }),
    suites: ["progress"],
    red: { "two tabs add to one progress, and what neither can read stays in it": "split-brain:" },
  },
  {
    name: "it is never told that nothing is kept",
    script: reword("does not keep", "keeps"),
    suites: ["progress"],
    red: {
      "storage that is full is told once, and the lab goes on": "the words: still 0",
      "storage that is blocked is told once, and the lab goes on": "the words: still 0",
    },
  },
  {
    name: "what is no progress is not put aside",
    script: script(() => {
      const keep = Storage.prototype.setItem;
      Storage.prototype.setItem = function (name, value) {
        return name.endsWith("unreadable") ? undefined : keep.call(this, name, value);
      };
    }),
    suites: ["progress"],
    red: { "what is no progress is put aside, and is left where it stands when it cannot be": "something else" },
  },
  {
    name: "what could not be put aside is overwritten",
    script: script(() => {
      const keep = Storage.prototype.setItem;
      Storage.prototype.setItem = function (name, value) {
        try {
          return keep.call(this, name, value);
        } catch {
          return undefined;
        }
      };
    }),
    suites: ["progress"],
    red: { "what is no progress is put aside, and is left where it stands when it cannot be": "what stands there" },
  },
];

const REAL = [
  {
    name: "a run that is stopped is not given up",
    script: script(() => {
      const ask = window.fetch;
      window.fetch = (what, ...how) =>
        (what.method ?? how[0]?.method) === "DELETE" ? Promise.resolve(new Response()) : ask(what, ...how);
    }),
    suites: ["real"],
    red: { "Stop takes effect while the run is still being asked for, and nothing of that run comes later": "" },
  },
  {
    name: "a run that was stopped is followed all the same",
    script: script(() => {
      const ask = window.fetch;
      window.fetch = async (what, ...how) => {
        const answer = await ask(what, ...how);
        if ((what.method ?? how[0]?.method) === "POST") {
          const { id } = await answer.clone().json();
          window.followed = new EventSource(`api/runs/${id}/events`);
        }
        return answer;
      };
    }),
    suites: ["real"],
    red: { "Stop takes effect while the run is still being asked for, and nothing of that run comes later": "the stopped run is followed" },
  },
  {
    name: "the loss of a server is not noticed",
    script: script(() => {
      const listen = EventSource.prototype.addEventListener;
      EventSource.prototype.addEventListener = function (kind, ...how) {
        return kind === "error" ? undefined : listen.call(this, kind, ...how);
      };
    }),
    suites: ["real"],
    red: { "a server that is lost during a run is told, and its half run is dropped": "the box: still" },
  },
  {
    name: "the run that is asked for is that of another policy",
    script: script(() => {
      const ask = window.fetch;
      window.fetch = async (what, ...how) => {
        if ((what.method ?? how[0]?.method) !== "POST") return ask(what, ...how);
        const wish = JSON.parse(what.text ? await what.text() : how[0].body);
        wish.policy.level = "strong";
        return ask(what.url ?? what, { method: "POST", body: JSON.stringify(wish), headers: { "content-type": "application/json" } });
      };
    }),
    suites: ["real"],
    red: { "a run on real servers is recorded, replayed in the same view, and set beside the simulator": /^(Green on real|Not shown)/ },
  },
  {
    name: "a verdict does not say that it is of real servers",
    script: reword(" on real", ""),
    suites: ["real"],
    red: { "a run on real servers is recorded, replayed in the same view, and set beside the simulator": "Red" },
  },
];

const RECORDINGS = [
  {
    name: "a file that is refused leads elsewhere",
    script: script(() => window.addEventListener("change", ({ target }) => {
      if (target.matches('[data-testid="open-recording"]')) location.hash = location.hash.replace("seed=1", "seed=2");
    }, true)),
    suites: ["recordings"],
    red: { "a file that is no whole recording is refused with a reason, and changes nothing": "is not http" },
  },
  {
    name: "a recording from a file is not told from a run",
    script: without('[data-testid="from-file"]', "data-testid"),
    suites: ["recordings"],
    red: { "a recording opens the run that it names, and earns no mark": "from-file" },
  },
];

const CONSOLE = {
  name: "something goes wrong in the console",
  script: script(() => console.error("tampered with")),
  suites: ["lesson", "scenarios", "verdict", "progress", "real", "recordings", "spoken", "axe", "screens"],
  red: {
    "nothing went wrong in the console": "tampered with",
    "no error in the herd's console": "tampered with",
    "no error in the stampede's console": "tampered with",
    "no error in the console of progress": "tampered with",
    "no error in the console of the real run": "tampered with",
    "nothing went wrong in the console while files were opened": "tampered with",
    "no error in the console of what is spoken": "tampered with",
    "axe: nothing went wrong in the console, en-US": "tampered with",
    "axe: nothing went wrong in the console, ja-JP": "tampered with",
    "lab-…": "tampered with",
  },
};

export const PAGE = [...LESSON, ...SCENARIOS, ...VERDICT, ...PROGRESS, ...REAL, ...RECORDINGS, ...LOOKS, CONSOLE];
