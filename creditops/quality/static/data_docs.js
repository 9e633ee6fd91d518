// The few calls that the pages of Data Docs make of jQuery and bootstrap-table, without either.
"use strict";

class Found {
  constructor(elements) {
    this.elements = elements;
  }
  each(act) {
    this.elements.forEach((element, index) => act.call(element, index, element));
    return this;
  }
  parent() {
    return new Found([...new Set(this.elements.map((element) => element.parentElement).filter(Boolean))]);
  }
  data(name) {
    return this.elements[0]?.dataset[name];
  }
  fadeIn() {
    return this.each((_, element) => element.style.removeProperty("display"));
  }
  fadeOut() {
    return this.each((_, element) => element.style.setProperty("display", "none"));
  }
  removeClass(names) {
    return this.each((_, element) => element.classList.remove(...names.split(" ")));
  }
  ready(act) {
    document.addEventListener("DOMContentLoaded", act);
    return this;
  }
  on() {
    return this;
  }
  modal() {
    return this;
  }
  bootstrapTable(options) {
    if (typeof options === "object") this.each((_, element) => fill(element, options));
    return this;
  }
}

function fill(table, { columns, data }) {
  const shown = columns.filter((column) => String(column.visible ?? true) !== "false");
  const head = table.createTHead().insertRow();
  for (const column of shown) {
    const cell = document.createElement("th");
    cell.textContent = column.title;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const values of data) {
    const row = body.insertRow();
    const place = values._table_row_link_path;
    if (place) {
      row.className = "clickable-row";
      row.addEventListener("click", () => window.location.assign(place));
    }
    for (const column of shown) row.insertCell().innerHTML = values[column.field] ?? "";
  }
}

function $(what) {
  if (typeof what === "string") return new Found([...document.querySelectorAll(what)]);
  return new Found([what]);
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest('[data-toggle="collapse"]');
  if (!opener) return;
  event.preventDefault();
  const place = opener.dataset.target ?? opener.getAttribute("href");
  document.querySelector(place)?.classList.toggle("show");
});
