"use strict";

// Tables: a click on a heading sorts by its column, a second one turns the order; rows without a value stay last.
function sortBy(heading) {
  const table = heading.closest("table");
  const column = [...heading.parentNode.children].indexOf(heading);
  const textual = heading.classList.contains("text");
  const given = (row) => row.children[column].dataset.value;
  const rising = heading.getAttribute("aria-sort") === "none" ? textual || heading.cellIndex === 0 : heading.getAttribute("aria-sort") === "descending";
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => {
    const [left, right] = [given(a), given(b)];
    if (left === "" || right === "") return (left === "") - (right === "");
    const order = textual ? left.localeCompare(right, "en", { numeric: true }) : left - right;
    return rising ? order : -order;
  });
  table.tBodies[0].append(...rows);
  for (const other of table.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
}
for (const heading of document.querySelectorAll("table.sortable th[aria-sort]")) {
  heading.querySelector("button").addEventListener("click", () => sortBy(heading));
}

// A member under the pointer is marked wherever else it stands on the page.
let lit = [];
document.addEventListener("pointerover", (event) => {
  const member = event.target.closest("[data-member]")?.dataset.member;
  for (const element of lit) element.classList.remove("lit");
  lit = member === undefined ? [] : [...document.querySelectorAll(`[data-member="${CSS.escape(member)}"]`)];
  for (const element of lit) element.classList.add("lit");
});

// How strongly explanations cover the pictures.
const strength = document.getElementById("strength");
strength?.addEventListener("input", () => document.documentElement.style.setProperty("--strength", strength.value / 100));

// Pictures in another order, or one explainer only.
const order = document.getElementById("order");
order?.addEventListener("change", () => {
  const shown = document.getElementById("shown");
  const by = {
    agreement: (a, b) => a.dataset.place - b.dataset.place,
    disagreement: (a, b) => b.dataset.place - a.dataset.place,
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, "en", { numeric: true }),
  };
  shown.append(...[...shown.children].sort(by[order.value]));
});
const explained = document.getElementById("explained");
explained?.addEventListener("change", () => {
  for (const strip of document.querySelectorAll("#shown .strip")) strip.hidden = explained.value !== "" && strip.dataset.explainer !== explained.value;
});

// Tables are filtered by what their first text column holds.
for (const input of document.querySelectorAll("input[data-filters]")) {
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const row of document.getElementById(input.dataset.filters).tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}
