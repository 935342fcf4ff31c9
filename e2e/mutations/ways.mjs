// How a page is broken from outside: scripts that run before the lab.

/** Ways to break a page. Each is sent to the browser as text, so that it may use nothing of this file. */
const WAYS = {
  /** Events of a kind are lost on their way to what the selector names. */
  lose: (kind, selector) =>
    window.addEventListener(kind, (event) => {
      if (!event.target.closest?.(selector)) return;
      event.stopImmediatePropagation();
      if (kind === "click") event.preventDefault();
    }, true),
  /** Every so many presses of a key are lost. */
  loseKey: (key, every) => {
    let pressed = 0;
    window.addEventListener("keydown", (event) => {
      if (event.key === key && (pressed += 1) % every === 0) event.stopImmediatePropagation();
    }, true);
  },
  /** What is drawn is changed at once: by its selector, with a function of the element. */
  redraw: (selector, change) => {
    const all = () => document.querySelectorAll(selector).forEach(change);
    new MutationObserver(all).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  },
  /** What is drawn lacks an attribute. */
  without: (selector, attribute) =>
    new MutationObserver(() =>
      document.querySelectorAll(`:is(${selector})[${attribute}]`).forEach((element) => element.removeAttribute(attribute)),
    ).observe(document, { subtree: true, childList: true, attributes: true }),
  /** Words are replaced by others wherever they stand. */
  reword: (from, to) =>
    new MutationObserver(() => {
      const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const text = walker.currentNode;
        if (text.data.includes(from)) text.data = text.data.replaceAll(from, to);
      }
    }).observe(document, { subtree: true, childList: true, characterData: true }),
};

/** A call of one of these ways, or of a function of its own, as a script. */
export const script = (way, ...how) =>
  `(${way})(${how.map((one) => (typeof one === "function" ? String(one) : JSON.stringify(one))).join(", ")});\n`;
export const lose = (...how) => script(WAYS.lose, ...how);
export const loseKey = (...how) => script(WAYS.loseKey, ...how);
export const redraw = (...how) => script(WAYS.redraw, ...how);
export const reword = (...how) => script(WAYS.reword, ...how);
export const without = (...how) => script(WAYS.without, ...how);
