"use strict";
// The page around the charts: unpack the library, sort, choose, and, where it is served, ask for what is new.

const EVERY_MS = 3000;
const nonce = document.currentScript.nonce;
const view = { x: "step", span: 0, log: false, held: true, zoom: true, hidden: new Set() };
const sorting = { column: null, descending: false };
let data = JSON.parse(document.getElementById("data").textContent);

async function unpack() {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (each) => each.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.nonce = nonce;
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

function draw() {
  document.querySelectorAll("#ranking tbody tr").forEach((row) => {
    const run = data.runs[row.dataset.run];
    row.style.setProperty("--dot", colorOf(data.runs, Number(row.dataset.run)));
    row.classList.toggle("off", view.hidden.has(run.name));
    row.querySelector("input").checked = !view.hidden.has(run.name);
  });
  document.querySelectorAll(".dot[data-of]").forEach((dot) => {
    dot.style.setProperty("--dot", colorOf(data.runs, Number(dot.dataset.of)));
  });
  const all = document.getElementById("all");
  if (all) {
    all.checked = view.hidden.size === 0;
    all.indeterminate = view.hidden.size > 0 && view.hidden.size < data.runs.length;
  }
  if (window.Plotly) drawCurves(data, view);
}

function valueOf(row, column) {
  const cell = row.cells[column], text = cell.dataset.value ?? cell.textContent.trim();
  return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}

/** What has no value comes last, whichever way. */
function compare(a, b) {
  if (a === "" || b === "") return 0;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
}

function sort() {
  if (sorting.column === null) return;
  const table = document.getElementById("ranking"), body = table.tBodies[0], way = sorting.descending ? -1 : 1;
  const rows = [...body.rows].map((row) => [row, valueOf(row, sorting.column)]);
  rows.sort(([, a], [, b]) => (a === "") - (b === "") || way * compare(a, b));
  body.append(...rows.map(([row]) => row));
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if (column === sorting.column) head.setAttribute("aria-sort", sorting.descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
}

function hideAllBut(runs) {
  const names = new Set(runs.map((run) => run.name));
  view.hidden = new Set(data.runs.map((run) => run.name).filter((name) => !names.has(name)));
  draw();
}

document.addEventListener("click", (event) => {
  const head = event.target.closest(".sortable th button")?.parentElement;
  if (!head) return;
  sorting.descending = head.getAttribute("aria-sort") === "ascending";
  sorting.column = head.cellIndex;
  sort();
});

document.addEventListener("change", (event) => {
  if (event.target.id === "all") hideAllBut(event.target.checked ? data.runs : []);
  else if (event.target.closest("#ranking tbody")) {
    const { name } = data.runs[event.target.closest("tr").dataset.run];
    if (event.target.checked) view.hidden.delete(name);
    else view.hidden.add(name);
    draw();
  }
});

document.getElementById("controls").addEventListener("input", (event) => {
  const form = event.currentTarget;
  // The slider is finer where averages are short.
  Object.assign(view, { x: form.x.value, span: Math.round(1.06 ** form.span.value), log: form.log.checked });
  Object.assign(view, { held: form.held.checked, zoom: form.zoom.checked });
  form.shown.value = view.span < 2 ? "off" : `${view.span} rows`;
  draw();
});

/** Offer the axes that some run has places on. */
function offer() {
  const known = (x) => data.runs.some((run) => run.curves.loss[x].some((place) => place !== null));
  for (const option of document.getElementById("controls").x.options) option.disabled = !known(option.value);
}

function redraw() {
  offer();
  draw();
  if (window.Plotly) drawParallel(data, hideAllBut);
}

/** Put what the server tells now in the place of what is shown; what the reader has chosen or opened stays. */
function renew(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const open = [...document.querySelectorAll("details[open]")].map((each) => each.id);
  for (const old of document.querySelectorAll("[data-fresh], #made")) {
    const now = fresh.getElementById(old.id);
    old.hidden = now.hidden;
    old.innerHTML = now.innerHTML;
  }
  open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  data = JSON.parse(fresh.getElementById("data").textContent);
  sort();
  redraw();
}

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.text();
}

async function follow(version) {
  let known = version;
  try {
    const now = await ask("version");
    if (now !== version) renew(await ask("part"));
    known = now;
    document.body.classList.remove("cut");
    document.getElementById("connection").lastChild.textContent = " live";
  } catch {
    document.body.classList.add("cut");
    document.getElementById("connection").lastChild.textContent = " no answer from the server";
  }
  setTimeout(() => follow(known), EVERY_MS);
}

// A finger that moves over a chart rather scrolls the page.
if (matchMedia("(pointer: coarse)").matches) document.getElementById("controls").zoom.checked = view.zoom = false;
dark.addEventListener("change", redraw);
unpack().then(redraw);
if (document.getElementById("data").dataset.live === "true") follow("");
