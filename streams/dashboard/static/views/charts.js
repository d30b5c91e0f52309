// The last hour in three charts (uPlot). Each says its latest values in words as well.

import { byId } from "../dom.js";
import * as format from "../format.js";

const KEEP = 720;
const HEIGHT = 120;
const CHARTS = [
  { id: "chart-rates", lines: [["received", "received", "--ink"], ["screened", "decided", "--blue"], ["alerts", "alerts", "--red"]], say: (value) => `${Math.round(value)} a minute` },
  { id: "chart-lag", lines: [["lag_s", "lag", "--blue"]], say: format.seconds },
  { id: "chart-canary", lines: [["canary_s", "test article", "--blue"]], say: format.seconds },
  { id: "chart-times", lines: [["screened_p95", "decide", "--blue"], ["delivered_p95", "deliver", "--red"]], say: format.seconds },
];

let points = [];
let drawn = [];

export async function loadHistory() {
  const answer = await fetch("/api/history");
  if (!answer.ok) return;
  points = await answer.json();
  drawCharts();
}

export function addPoint(point) {
  if (points.length && points[points.length - 1].at >= point.at) return;
  points = [...points, point].slice(-KEEP);
  if (drawn.length === 0) drawCharts();
  drawn.forEach((plot, index) => plot.setData(columns(CHARTS[index])));
  describe();
}

// Anew after a change of theme or width: uPlot paints colours into its canvas.
export function drawCharts() {
  for (const plot of drawn) plot.destroy();
  drawn = points.length && window.uPlot ? CHARTS.map(draw) : [];
  describe();
}

function spanS() {
  return points.length ? points[points.length - 1].at - points[0].at : 0;
}

function columns(chart) {
  return [points.map((point) => point.at), ...chart.lines.map(([name]) => points.map((point) => point[name]))];
}

function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function draw(chart) {
  const target = byId(chart.id);
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--rule"), width: 1 }, ticks: { show: false }, font: "11px 'IBM Plex Mono', monospace" };
  const options = {
    width: target.clientWidth || 320,
    height: HEIGHT,
    cursor: { show: false },
    legend: { show: false },
    scales: { x: { time: true }, y: { range: (_, low, high) => [0, Math.max(1, (high ?? 0) * 1.15)] } },
    axes: [
      { ...axis, size: 24, space: 90, values: (_, ticks) => ticks.map((tick) => format.clock(tick * 1000, spanS() < 900)) },
      { ...axis, size: 44 },
    ],
    series: [{}, ...chart.lines.map(([, label, name]) => ({ label, stroke: colour(name), width: 1.5, spanGaps: false, points: { show: points.length < 3 } }))],
  };
  return new window.uPlot(options, columns(chart), target);
}

function describe() {
  const last = points[points.length - 1];
  for (const chart of CHARTS) {
    const target = byId(chart.id);
    const said = last ? chart.lines.map(([name, label]) => `${label} ${last[name] === null ? "not measured" : chart.say(last[name])}`) : [];
    target.setAttribute("role", "img");
    target.setAttribute("aria-label", said.length ? `Now: ${said.join(", ")}` : "No data yet");
  }
  for (const [index, chart] of CHARTS.entries()) legend(chart, last, index);
}

function legend(chart, last) {
  const caption = byId(`${chart.id}-title`);
  let list = caption.querySelector(".legend");
  if (!list) {
    list = document.createElement("span");
    list.className = "legend";
    for (const [, label, name] of chart.lines) {
      const entry = document.createElement("span");
      entry.dataset.line = name.replace("--", "");
      entry.append(label, " ", document.createElement("b"));
      list.append(entry);
    }
    caption.append(list);
  }
  chart.lines.forEach(([name], index) => {
    const value = last?.[name];
    const text = value === null || value === undefined ? "–" : chart.id === "chart-rates" ? String(Math.round(value)) : format.seconds(value);
    const target = list.children[index].querySelector("b");
    if (target.textContent !== text) target.textContent = text;
  });
}

let resizing = 0;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(drawCharts, 150);
});
