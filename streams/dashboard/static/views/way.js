// The way: stage by stage how many, how fast; what was dropped and why; how long it takes.

import { byId, el, fillRow, keyed, makeRow, setData, setText } from "../dom.js";
import * as format from "../format.js";

const HINTS = {
  received: "confirmed by Kafka",
  screened: "classified",
  dropped: "off topic, copies",
  stories: "begun",
  alerts: "news of them",
  delivered: "accepted by receivers",
};

export function showWay(way) {
  setText(byId("way-since"), way.since ? `Counted since ${format.moment(way.since)}` : "");
  keyed(byId("stages"), way.stages, (one) => one.id, makeStage, fillStage);
  const dropped = way.dropped.filter((one) => one.total > 0);
  const all = dropped.reduce((sum, one) => sum + one.total, 0);
  dropped.sort((left, right) => right.total - left.total);
  keyed(byId("dropped"), dropped, (one) => one.id, makeShare, (node, one) => fillShare(node, one, all));
  keyed(byId("latencies"), way.latencies, (one) => one.id, () => makeRow(["", "number", "number", "number"]), fillLatency);
}

function makeStage(one) {
  return el(
    "li",
    { attributes: { id: `stage-${one.id}`, "data-stage": one.id } },
    el("span", { className: "label" }, one.label),
    el("span", { className: "total" }),
    el("span", { className: "rate" }),
    el("span", { className: "hint" }, HINTS[one.id] ?? ""),
  );
}

function fillStage(node, one) {
  setText(node.children[1], format.count(one.total));
  setText(node.children[2], format.rate(one.per_minute));
  setData(node, "moving", one.per_minute > 0);
}

function makeShare() {
  return el("li", {}, el("span", { className: "label" }), el("meter", { attributes: { min: "0", max: "1" } }), el("span", { className: "number" }));
}

function fillShare(node, one, all) {
  const [label, meter, number] = node.children;
  setText(label, one.label);
  const share = one.total / all;
  if (meter.value !== share) meter.value = share;
  meter.setAttribute("aria-label", `${one.label}: ${Math.round(100 * share)} % of all dropped`);
  setText(number, format.count(one.total));
}

function fillLatency(row, one) {
  fillRow(row, [one.label, format.seconds(one.p50), format.seconds(one.p95), format.seconds(one.p99)]);
}
