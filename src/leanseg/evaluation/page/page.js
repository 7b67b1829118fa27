"use strict";
// Without this script the page reads the same: it only adds controls to what is there.
(() => {
  const root = document.documentElement;
  root.classList.add("script");

  const chooseTheme = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };
  const themes = document.querySelector(".theme");
  themes.hidden = false;
  themes.addEventListener("change", (event) => chooseTheme(event.target.value));

  // Sorting: a heading becomes a button. Cells without a value stay last in both directions.
  const names = new Intl.Collator("en", { numeric: true });
  const sort = (table, column, numeric, direction) => {
    const valueOf = (row) => row.cells[column].dataset.value;
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => ({ row, value: valueOf(row) }));
    rows.sort((one, other) => {
      if (one.value === "" || other.value === "") return (one.value === "") - (other.value === "");
      const order = numeric ? one.value - other.value : names.compare(one.value, other.value);
      return direction * order;
    });
    body.append(...rows.map(({ row }) => row));
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = Array.from(table.tHead.rows[0].cells);
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const rising = heading.getAttribute("aria-sort") !== "ascending";
        for (const each of headings) each.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
        sort(table, column, heading.classList.contains("number"), rising ? 1 : -1);
      });
    });
  }

  // Layers: each entry of the legend gets a box.
  for (const entry of document.querySelectorAll("[data-layer]")) {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    entry.querySelector("label").prepend(box);
    box.addEventListener("change", () => root.classList.toggle(`without-${entry.dataset.layer}`, !box.checked));
  }

  // Cases: links and dots open what they lead to.
  const cases = Array.from(document.querySelectorAll("details.case"));
  const show = (id) => {
    const place = document.getElementById(id);
    if (!place) return;
    if (place.matches("details")) place.open = true;
    place.scrollIntoView();
  };
  const follow = () => show(location.hash.slice(1)); // an id holds nothing that an address encodes
  addEventListener("hashchange", follow);
  follow();
  for (const dot of document.querySelectorAll(".point[data-place]")) {
    dot.addEventListener("click", () => {
      if (location.hash === `#${dot.dataset.place}`) follow();
      else location.hash = dot.dataset.place;
    });
  }
  // Paper shows what waits behind a summary; afterwards the page is as it was.
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll(".terms:not([open]), .failures details:not([open])")) {
      each.open = true;
      opened.push(each);
    }
    const printed = document.querySelector(".printed");
    if (printed) printed.textContent = `: ${cases.filter((each) => each.open).length}`;
  });
  addEventListener("afterprint", () => {
    for (const each of opened.splice(0)) each.open = false;
  });
  const all = document.querySelector(".open-all");
  if (all) {
    all.hidden = false;
    all.addEventListener("click", () => {
      const open = cases.some((each) => !each.open);
      for (const each of cases) each.open = open;
      all.textContent = open ? "Close all cases" : "Open all cases";
    });
  }
})();
