// What is wrong with a page for somebody who cannot see it, sees little, or has a small screen. Answers a
// list of faults; run in the page by `pages/test_accessibility.py`.
() => {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const text = (element) => element.innerText.trim();
  const isShown = (element) => element.checkVisibility();

  if (document.documentElement.lang === "") faults.push("the page has no language");
  if (!/\S.* · hubtoken$/.test(document.title)) faults.push(`title: ${document.title}`);
  if (all("main").length !== 1) faults.push("there is not one main part");
  if (document.documentElement.scrollWidth > innerWidth) {
    faults.push(`wider than the screen: ${document.documentElement.scrollWidth}`);
  }

  const levels = all("h1, h2, h3, h4").filter(isShown).map((heading) => Number(heading.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) faults.push("there is not one h1");
  // The summary of mistakes comes before the part it is about, below the h1.
  levels.reduce((before, level) => {
    if (level > before + 1) faults.push(`a heading of level ${level} after one of level ${before}`);
    return level;
  }, 0);

  const ids = all("[id]").map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`two of id ${id}`);
  for (const name of ["aria-describedby", "aria-labelledby"]) {
    for (const element of all(`[${name}]`)) {
      for (const id of element.getAttribute(name).split(" ")) {
        if (!ids.includes(id)) faults.push(`${name} of ${element.id} names ${id}, which is not there`);
      }
    }
  }
  for (const link of all("a[href^='#']")) {
    if (!ids.includes(link.hash.slice(1))) faults.push(`a link to ${link.hash}, which is not there`);
  }

  for (const input of all("input:not([type=hidden]), select, textarea")) {
    if (!input.labels?.length || [...input.labels].some((label) => label.textContent.trim() === "")) {
      faults.push(`no label: ${input.outerHTML}`);
    }
  }
  for (const element of all("a, button, summary, legend, th, caption")) {
    if (element.textContent.trim() === "") faults.push(`no name: ${element.outerHTML}`);
  }
  for (const image of all("img")) if (!image.hasAttribute("alt")) faults.push("an image without alt");
  for (const table of all("table")) if (!table.caption) faults.push("a table without a caption");
  for (const input of all("[aria-invalid=true]")) {
    if (!input.hasAttribute("aria-describedby")) faults.push(`no word on what is wrong: ${input.id}`);
  }

  // Contrast of every text with what is behind it; 4.5 to 1 is the least (WCAG 2.2, 1.4.3).
  const color = (value) => {
    const [red, green, blue, alpha = 1] = value.match(/[\d.]+/g).map(Number);
    return { rgb: [red, green, blue], alpha };
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const { rgb, alpha } = color(getComputedStyle(each).backgroundColor);
      if (alpha === 1) return rgb;
      if (alpha > 0) faults.push(`a background that shows through: ${each.className}`);
    }
    return [255, 255, 255];
  };
  const luminance = (rgb) => {
    const [red, green, blue] = rgb
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.textContent.trim() === "" || !isShown(element)) continue;
    const pair = [luminance(color(getComputedStyle(element).color).rgb), luminance(behind(element))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)}: ${text(element).slice(0, 40)}`);
  }

  // Large enough for a finger (WCAG 2.2, 2.5.8), links within a sentence aside.
  for (const element of all("button, .button, select, summary, nav a, label.box, label.choice")) {
    if (!isShown(element) || element.classList.contains("unseen")) continue;
    const { width, height } = element.getBoundingClientRect();
    if (width < 24 || height < 24) faults.push(`small: ${text(element)}, ${width} by ${height}`);
  }
  return faults;
};
