"use strict";
// The charts. `view` is what the reader has chosen: {x, span, log, held, zoom, hidden: Set of runs}.

const FEW = 10; // so many runs have colours that can be told apart
const PALETTE = {
  light: ["#1f5fbf", "#d1600a", "#17803d", "#b3261e", "#7a3fc0", "#8a5a2b", "#c2308b", "#5b6673", "#7f8a00", "#00808f"],
  dark: ["#7fb2ff", "#ffa45c", "#6fd19b", "#ff8a80", "#c7a2ff", "#d3a679", "#ff8fd0", "#b5bfcc", "#d0d65c", "#5cd3e2"],
};
const SCALE = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // viridis
const PLACES = {
  step: "optimizer step", epoch: "epoch", tokens: "tokens processed", samples: "rows processed", time: "seconds of training",
};
const dark = matchMedia("(prefers-color-scheme: dark)");

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The colour of a run: of few its own, whatever its rank becomes, of many by rank: the best stand out. */
function colorOf(runs, place) {
  if (runs.length <= FEW) return PALETTE[dark.matches ? "dark" : "light"][runs[place].number - 1];
  const share = place / (runs.length - 1);
  const at = dark.matches ? 4 - 3 * share : 3.2 * share;
  const low = SCALE[Math.floor(at)], high = SCALE[Math.ceil(at)], part = at % 1;
  return `rgb(${low.map((value, k) => Math.round(value + (high[k] - value) * part)).join(",")})`;
}

/** Plotly reads a few tags in names, and these come from users. */
function plain(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Exponential moving average over about `span` rows, corrected for its start; rows that were left out count. */
function smoothed(values, numbers, span) {
  if (span < 2) return values;
  let total = 0, weight = 0, last = null;
  return values.map((value, k) => {
    if (value === null) return null;
    const keep = (1 - 2 / (span + 1)) ** (last === null ? 1 : numbers[k] - last);
    last = numbers[k];
    total = keep * total + (1 - keep) * value;
    weight = keep * weight + (1 - keep);
    return total / weight;
  });
}

const CORE = ["loss", "lr", "grad_norm", "tokens_per_second"];

/** The values of a metric: those of the core share the rows of the loss, any other has rows of its own. */
function columnsOf(run, key) {
  const name = CORE.includes(key) ? "loss" : key;
  return Object.hasOwn(run.curves, name) ? run.curves[name] : { number: [] };
}

function curve(runs, place, key, view) {
  const run = runs[place], held = key.startsWith("eval_");
  const columns = columnsOf(run, key), color = colorOf(runs, place);
  const values = (CORE.includes(key) || key === "eval_loss" ? columns[key] : columns.value) ?? [];
  const few = held ? columns.number.length <= 60 : columns.number.length <= 30;
  return {
    x: columns[view.x] ?? [], y: held || key === "lr" ? values : smoothed(values, columns.number, view.span),
    name: plain(run.name) + (held ? ", held-out" : ""), type: "scatter", mode: few ? "lines+markers" : "lines",
    line: { color, width: held ? 1.5 : 2, dash: held ? "dot" : "solid" }, marker: { size: held ? 6 : 4, color },
    hovertemplate: held ? "%{y:.5g} at %{x:.5~g}" : "%{y:.5g}", hoverlabel: { namelength: 40 },
  };
}

function layout(key, view, count) {
  const axis = { gridcolor: css("--line"), zerolinecolor: css("--line"), linecolor: css("--line"), automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: css("--ink"), family: "inherit", size: 12 },
    margin: { l: 44, r: 12, t: 8, b: 36 }, showlegend: false, uirevision: view.x, dragmode: view.zoom ? "zoom" : false,
    hovermode: count <= FEW ? "x unified" : "closest", hoverdistance: count <= FEW ? -1 : 40, // pixels; -1: however far
    hoverlabel: { bgcolor: css("--surface"), bordercolor: css("--line"), font: { color: css("--ink") } },
    xaxis: { ...axis, tickformat: view.x === "tokens" ? "~s" : undefined, title: { text: PLACES[view.x], standoff: 4, font: { size: 11 } } },
    yaxis: { ...axis, type: view.log && key === "loss" ? "log" : "linear", tickformat: { lr: "~g", tokens_per_second: "~s" }[key], nticks: 7,
      rangemode: key === "lr" || key === "tokens_per_second" ? "tozero" : "normal" },
  };
}

const CONFIG = { displaylogo: false, responsive: true, displayModeBar: false, showTips: false };

/** Where a metric is drawn; one that has come since the page was made gets a chart of its own. */
function placeOf(key) {
  const id = CORE.includes(key) ? `chart-${key}` : `further-${key}`, found = document.getElementById(id);
  if (found) return found;
  const figure = document.createElement("figure"), caption = document.createElement("figcaption");
  const place = document.createElement("div");
  figure.className = "chart";
  caption.textContent = key;
  place.id = id;
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `curves of ${key}`);
  figure.append(caption, place);
  document.querySelector(".charts").append(figure);
  return place;
}

function drawCurves(data, view) {
  const shown = [...data.runs.keys()].filter((place) => !view.hidden.has(data.runs[place].name));
  for (const key of [...CORE, ...data.further]) {
    const place = placeOf(key);
    if (CORE.includes(key)) {
      const known = data.runs.some((run) => run.curves.loss[key].some((value) => value !== null));
      place.parentElement.hidden = !known && key !== "loss";
      if (place.parentElement.hidden) continue;
    }
    const traces = shown.map((place) => curve(data.runs, place, key, view));
    if (view.held) traces.push(...shown.map((place) => curve(data.runs, place, `eval_${key}`, view)));
    Plotly.react(place, traces.filter((each) => each.y.length), layout(key, view, data.runs.length), CONFIG);
  }
}

/** An axis of the parallel coordinates: numbers as they are or by magnitude, everything else as places of its own. */
function dimension(label, texts) {
  const numbers = texts.map((text) => (text === null || text === "" ? NaN : Number(text)));
  const name = { label: plain(label), name: label };
  if (numbers.some(Number.isNaN)) {
    const known = [...new Set(texts)].sort();
    const ticks = known.map((_, place) => place);
    return { ...name, values: texts.map((text) => known.indexOf(text)), tickvals: ticks, ticktext: known.map((t) => plain(String(t).slice(0, 18))) };
  }
  const low = Math.min(...numbers), high = Math.max(...numbers), known = [...new Set(numbers)].sort((a, b) => a - b);
  const place = low > 0 && high / low >= 20 ? Math.log10 : (value) => value;
  const values = numbers.map(place);
  return known.length <= 8 ? { ...name, values, tickvals: known.map(place), ticktext: known.map(String) } : { ...name, values };
}

/** Draw settings and what ranks the runs of those that have it; `chosen` is told which runs pass where the reader drags. */
function drawParallel(data, chosen) {
  const runs = data.runs.filter((run) => run.objective !== null), section = document.getElementById("parallel");
  if (!section) return;
  section.hidden = runs.length < 3 || !data.settings.length;
  if (section.hidden) return;
  const names = data.settings.slice(0, 8);
  const axes = names.map((name) => dimension(name, runs.map((run) => run.settings[name] ?? "–")));
  const ranks = runs.map((run) => run.objective);
  axes.push({ label: plain(data.ranking.name), name: "", values: ranks });
  const soft = css("--soft"), scale = dark.matches ? [[0, "#ffd84d"], [0.5, "#2fa79f"], [1, "#51467a"]] : [[0, "#440154"], [0.5, "#2a788e"], [1, "#b5dec2"]];
  const trace = {
    type: "parcoords", dimensions: axes, line: { color: ranks, colorscale: scale, reversescale: data.ranking.mode === "max" },
    labelfont: { color: css("--ink"), size: 12 }, tickfont: { color: css("--ink"), size: 11 }, rangefont: { color: soft, size: 10 },
    unselected: { line: { color: soft, opacity: 0.12 } },
  };
  const bare = { paper_bgcolor: "rgba(0,0,0,0)", margin: { l: 60, r: 60, t: 48, b: 24 }, font: { family: "inherit" }, uirevision: "same" };
  const place = document.getElementById("chart-parallel");
  Plotly.react(place, [trace], bare, CONFIG).then(() => {
    place.removeAllListeners("plotly_restyle");
    place.on("plotly_restyle", () => chosen(passing(runs, place.data[0].dimensions)));
  });
}

function passing(runs, axes) {
  const within = (value, range) => (Array.isArray(range[0]) ? range : [range]).some(([low, high]) => low <= value && value <= high);
  return runs.filter((_, k) => axes.every((axis) => !axis.constraintrange || within(axis.values[k], axis.constraintrange)));
}
