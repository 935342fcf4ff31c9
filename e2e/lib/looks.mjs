// What is wrong with how a page looks: each gives a list of sentences, empty when all is well.

/** Capsules that lie on something that is to be read, or beyond the stage. */
export const collisions = (page) =>
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
export const nameless = (page) =>
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
export const misfits = (page) =>
  page.evaluate(() => {
    const wide = document.documentElement.scrollWidth > window.innerWidth + 1;
    const cut = [...document.querySelectorAll(".btn, .tb button, .seg button, .st, .verd b, .ptabs button, .chip, .clock")]
      .filter((element) => element.getClientRects().length > 0)
      .filter((element) => {
        const box = element.getBoundingClientRect();
        const scrolls = element.closest(".ptabs, .shead, .panes");
        return !scrolls && (box.right > window.innerWidth + 1 || box.left < -1);
      })
      .map((element) => element.textContent.trim());
    return [...(wide ? ["the page scrolls sideways"] : []), ...cut];
  });

/** Words that are cut off: by the window, or by a box that cannot be scrolled. Rows of a list that name themselves
 * whole in a title, and the pictures of the stage, which keep their size, are not asked. */
export const cutOff = (page) =>
  page.evaluate(() => {
    const beyond = (inner, outer) =>
      inner.right > outer.right + 1.5 || inner.left < outer.left - 1.5 || inner.bottom > outer.bottom + 2 || inner.top < outer.top - 2;
    const wrong = [];
    const walker = document.createTreeWalker(document.querySelector(".app"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode;
      const own = text.parentElement;
      if (!text.data.trim() || own.closest("svg, option, .ev, .unseen, .skip, details:not([open]) > :not(summary)")) continue;
      const range = document.createRange();
      range.selectNodeContents(text);
      const box = range.getBoundingClientRect();
      if (box.width === 0 || box.height === 0) continue;
      for (let around = own; around; around = around.parentElement) {
        const { overflowX, overflowY, clipPath, position } = getComputedStyle(around);
        if (clipPath !== "none") break;
        const [hides, scrolls] = [/hidden|clip/, /auto|scroll/].map((way) => way.test(overflowX) || way.test(overflowY));
        if (around !== document.body && hides && !scrolls && beyond(box, around.getBoundingClientRect())) {
          wrong.push(`“${text.data.trim().slice(0, 40)}” is cut off by .${around.className}`);
        }
        if (scrolls && around !== document.body) break;
        if (around === document.body || position === "fixed") {
          if (box.right > window.innerWidth + 1 || box.left < -1) wrong.push(`“${text.data.trim().slice(0, 40)}” is beyond the window`);
          break;
        }
      }
    }
    return wrong;
  });

/** Controls that lie on each other, or out of the window's width. */
export const onEachOther = (page) =>
  page.evaluate(() => {
    const shown = [...document.querySelectorAll(".crumb h1, .top button, .trans button, .trans select, .ptabs button, .trans > span")].filter(
      (one) => one.getClientRects().length > 0 && !one.matches(".skip, .unseen") && getComputedStyle(one).clipPath === "none",
    );
    const boxes = shown.map((one) => [one, one.getBoundingClientRect()]);
    const name = (one) => one.dataset.testid ?? one.className;
    return boxes.flatMap(([one, box], place) =>
      boxes.slice(place + 1).filter(([other, their]) => {
        if (one.parentElement !== other.parentElement && one.closest("header, .trans, .ptabs") !== other.closest("header, .trans, .ptabs")) return false;
        return Math.min(box.right, their.right) - Math.max(box.left, their.left) > 1 &&
          Math.min(box.bottom, their.bottom) - Math.max(box.top, their.top) > 1;
      }).map(([other]) => `${name(one)} lies on ${name(other)}`),
    );
  });
