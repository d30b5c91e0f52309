// The model's quality by topic: drift, editors' verdicts, the hour against the same a week ago.

import { byId, el, fillRow, keyed, makeRow, setData, setText } from "../dom.js";
import * as format from "../format.js";

const DRIFT = { stable: "stable", moved: "has moved", changed: "has changed", "too few": "too few", learning: "learning" };
const STATE = { stable: "ok", moved: "poor", changed: "bad" };

export function showQuality(view) {
  setText(byId("quality-note"), note(view));
  const shown = view.topics.filter((one) => one.hour.about || one.week_ago.about || judged(one) || one.drift.articles);
  shown.sort((left, right) => right.hour.about - left.hour.about || right.drift.articles - left.drift.articles || left.label.localeCompare(right.label));
  keyed(byId("quality-rows"), shown, (one) => one.id, makeTopic, fillTopic);
  const rest = view.topics.length - shown.length;
  setText(byId("quality-rest"), rest ? `Nothing yet about ${rest} more ${rest === 1 ? "topic" : "topics"}.` : "");
}

function note(view) {
  const before = view.screened_week_ago ? `, a week before ${format.count(view.screened_week_ago)}` : "";
  const model = view.versions.length ? `Model ${view.versions.join(" and ")}. ` : "";
  return `${model}${format.count(view.screened)} articles decided on in the last hour${before}.`;
}

function judged(one) {
  return one.relevant + one.not_relevant + one.wrong_topic;
}

function makeTopic() {
  const row = makeRow(["", "", "drift", "number", "number", "number", "number", "number"]);
  row.children[2].append(el("span", { className: "bars", attributes: { role: "img" } }));
  return row;
}

function fillTopic(row, one) {
  const words = one.drift.index === null ? DRIFT[one.drift.state] : `${DRIFT[one.drift.state]} ${one.drift.index.toFixed(2)}`;
  const total = judged(one);
  fillRow(row, [one.label, words]);
  bars(row.querySelector(".bars"), one.drift);
  const precision = total ? `${Math.round(100 * one.precision)} % of ${total}` : "–";
  const numbers = [precision, pair(one.hour.about, one.week_ago.about), pair(one.hour.copies + one.hour.joined, one.week_ago.copies + one.week_ago.joined), pair(one.hour.rang, one.week_ago.rang), pair(one.hour.new, one.week_ago.new)];
  numbers.forEach((text, index) => setText(row.children[3 + index], text));
  setData(row, "state", STATE[one.drift.state] ?? "unknown");
}

function pair(now, before) {
  return `${format.count(now)} / ${format.count(before)}`;
}

// Nine bars of this week, each with a tick where its reference is.
function bars(node, drift) {
  const key = JSON.stringify([drift.live, drift.reference]);
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  const highest = Math.max(0.01, ...drift.live, ...drift.reference);
  const NS = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(NS, "svg");
  picture.setAttribute("viewBox", "0 0 90 24");
  picture.setAttribute("preserveAspectRatio", "none");
  const mark = (className, x, y, width, height) => {
    const box = document.createElementNS(NS, "rect");
    for (const [name, value] of Object.entries({ class: className, x, y, width, height })) box.setAttribute(name, value);
    picture.append(box);
  };
  drift.live.forEach((share, index) => {
    const height = (22 * share) / highest;
    mark("live", index * 10 + 1, 24 - height, 8, height);
  });
  drift.reference.forEach((share, index) => mark("reference", index * 10, 23 - (22 * share) / highest, 10, 1.6));
  node.replaceChildren(picture);
  const against = drift.reference.length ? `, against ${drift.of === "training" ? "training" : "its first week here"}` : "";
  node.setAttribute("aria-label", `How sure the model was of ${format.count(drift.articles)} articles this week${against}`);
}
