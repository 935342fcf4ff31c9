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
