// What is broken in how the page looks, and in what it says to those who do not look; in the form of page.mjs.

import { lose, redraw, script, without } from "./ways.mjs";

const SCREENS = [
  {
    name: "messages are drawn too large",
    style: '[data-testid="capsule"] .cap { transform: scale(2.4, 3); transform-box: fill-box; transform-origin: center }',
    suites: ["capsules"],
    red: { "1440: no message covers words on the way through…": "lies on", "390: no message covers words on the way through…": "lies on" },
  },
  {
    name: "the failing line is far from the verdict",
    style: ".panel.panel { padding-top: 900px }",
    suites: ["narrow"],
    red: {
      "800: verdict, failing check, marks and tabs are on the first screen…": "must be in view",
      "390: verdict, failing check, marks and tabs are on the first screen…": "must be in view",
    },
  },
  {
    name: "the page scrolls to nothing by itself",
    script: script(() => {
      Element.prototype.scrollIntoView = () => {};
    }),
    suites: ["narrow"],
    red: {
      "390: the line that fails, and what it saw, are on the screen": "must be in view",
      "800: the line that fails, and what it saw, are on the screen": "must be in view",
      "390: the question is on the screen…": "must be in view",
      "800: the question is on the screen…": "must be in view",
    },
  },
  {
    name: "the menu opens nothing",
    script: lose("click", '[data-testid="menu"]'),
    suites: ["narrow"],
    red: { "800: the menu opens the course, with its titles": ".rail.open", "390: the menu opens the course, with its titles": ".rail.open" },
  },
  {
    name: "a button is wider than the window",
    style: ".trans .pl.pl { width: 1700px }",
    suites: ["screens"],
    red: { "lab-…": /./ },
  },
  {
    name: "a button has no name",
    script: without('[data-testid="play"]', "aria-label"),
    suites: ["screens"],
    red: { "lab-…": "<button" },
  },
  {
    name: "the lab speaks English only",
    script: script(() => Object.defineProperty(navigator, "language", { get: () => "en-US" })),
    suites: ["screens"],
    red: Object.fromEntries(
      ["1440x900", "1280x720", "1100x800", "800x900", "390x844"].map((size) => [`lab-${size}-ja-…`, "the narration is"]),
    ),
  },
  {
    name: "a notice lies at the bottom, over what is there",
    style: ".notices.notices { position: fixed; inset: auto 0 0; z-index: 20 } .notice { min-height: 520px }",
    suites: ["links"],
    red: {
      "1280 × 600: the link to copy covers nothing that is to be pressed": "lies under",
      "800 × 600: the link to copy covers nothing that is to be pressed": "lies under",
      "390 × 600: the link to copy covers nothing that is to be pressed": "lies under",
    },
  },
];

const SPOKEN = [
  {
    name: "a step speaks the verdict again",
    script: script(() => window.addEventListener("keydown", ({ key }) => {
      const verdict = document.querySelector('[data-testid="spoken-verdict"]');
      if (key === "ArrowLeft") verdict?.replaceChildren("Verdict: Red, 1 of 3 checks failed.");
    }, true)),
    suites: ["spoken"],
    red: { "a step speaks its event, and the verdict no second time": "Verdict: Red" },
  },
  {
    name: "no event is spoken",
    script: redraw('[data-testid="spoken-event"]', (region) => region.getAttribute("aria-live") || region.setAttribute("aria-live", "off")),
    suites: ["spoken"],
    red: { "a step speaks its event, and the verdict no second time": "the event of step 1: still" },
  },
];

/** What lies over the page, what of it is made hard to read, and how axe names that. */
const FAINT = {
  "the question, with its hint, …": [".hinted", '<p class="hinted">'],
  "the keys, …": [".keysheet dd", "<dd>"],
  "a lesson to come, 1100, …": [".notice p", "<p>"],
  "my progress, 1100, …": [".rail.open .pmenu p", "<p>"],
  "a link to copy, 1100, …": [".notice p", "<p>"],
  "a lab that broke, …": ["#broken p", "<p>"],
};

const AXE = [
  {
    // On a phone axe does not judge the contrast of what stands still over a page that was scrolled.
    name: "what lies over the page is hard to read",
    style: `:is(${Object.values(FAINT).map(([selector]) => selector).join(", ")}) { color: #c4c4c4 !important }`,
    suites: ["overlays"],
    red: Object.fromEntries(Object.entries(FAINT).map(([name, [, html]]) => [`axe: ${name}`, html])),
  },
  {
    name: "a button over the page has no name",
    script: redraw('[data-testid="dismiss"], [data-testid="progress-forget"]', (button) => button.replaceChildren()),
    suites: ["overlays"],
    red: {
      "axe: a lesson to come, …": "button-name",
      "axe: a link to copy, …": "button-name",
      "axe: my progress, …": "button-name",
    },
  },
  {
    name: "the titles of the course are hard to read",
    style: ".rail.open .tt { color: #c4c4c4 !important }",
    suites: ["overlays"],
    red: { "axe: the course, …": '<span class="tt">' },
  },
  {
    name: "the course lies over what is told",
    style: ".notices.notices { z-index: 1 }",
    suites: ["overlays"],
    red: { "axe: a lesson to come, 390, ja-JP": "lies on it" },
  },
];

export const LOOKS = [...SCREENS, ...SPOKEN, ...AXE];
