// Tables sort by a click on a heading and filter by a word. Without this script the page is complete, only still.
(() => {
  "use strict";
  const FILTER_FROM = 8;

  // The first number of a cell decides: "93.1 ± 0.4" is 93.1, "4 of 10" is 4. Text without a number sorts as text.
  const value = (cell) => {
    const text = cell.textContent.trim();
    const found = /^[^\d\-–−]*([\-−]?\d[\d,]*\.?\d*)/.exec(text);
    return found ? Number(found[1].replace("−", "-").replaceAll(",", "")) : NaN;
  };

  const sort = (table, column, descending) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, place) => ({ row, place, text: row.cells[column].textContent.trim(), number: value(row.cells[column]) }));
    const numeric = column > 0 && rows.some((r) => !Number.isNaN(r.number)) && !table.tHead.rows[0].cells[column].classList.contains("prose");
    const missing = (r) => (numeric ? Number.isNaN(r.number) : r.text === "" || r.text === "–");
    rows.sort((a, b) => {
      if (missing(a) !== missing(b)) return missing(a) ? 1 : -1;
      const order = numeric ? a.number - b.number : a.text.localeCompare(b.text, "en", { numeric: true });
      return (descending ? -order : order) || a.place - b.place;
    });
    body.append(...rows.map((r) => r.row));
  };

  const makeSortable = (table) => {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const descending = heading.getAttribute("aria-sort") === "ascending";
        headings.forEach((other) => other.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
        sort(table, column, descending);
      });
    });
  };

  const makeFilter = (table, scroll) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < FILTER_FROM) return;
    const label = document.createElement("label");
    const input = document.createElement("input");
    const count = document.createElement("span");
    label.className = "filter";
    input.type = "search";
    count.setAttribute("role", "status");
    label.append("Filter rows ", input);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row) => { row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word)); });
      count.textContent = words.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "";
    });
    const line = document.createElement("p");
    line.className = "filtering";
    line.append(label, count);
    scroll.before(line);
  };

  document.querySelectorAll(".table .scroll").forEach((scroll) => {
    const table = scroll.querySelector("table");
    if (table.tBodies[0].rows.length > 1) makeSortable(table);
    makeFilter(table, scroll);
  });

  // A link into a folded table opens it.
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const fold = target && target.closest("details");
    if (fold) fold.open = true;
  };
  addEventListener("hashchange", open);
  open();
})();
