// What people can decide about a story, and what they did. The workers do it; the page waits.

import { act } from "../act.js";
import { byId, el, keyed, quietButton, setHidden, setText } from "../dom.js";
import * as format from "../format.js";

const SAID = {
  relevant: "Noted as relevant",
  not_relevant: "Noted as not relevant",
  wrong_topic: "Noted as about something else",
  mute: "It rings no more",
  unmute: "It rings again",
  split: "The report has a story of its own now",
  merge: "The other story is part of this one now",
};
const DONE = {
  relevant: "relevant",
  not_relevant: "not relevant",
  wrong_topic: "wrong topic",
  mute: "muted",
  unmute: "heard again",
  follow: "followed",
  split: "split a report off",
  merge: "merged",
};
let story = "";
let again = () => {};
let labels = {};

export function showDecide(page, look) {
  story = page.story.id;
  again = look;
  labels = Object.fromEntries(page.topics.map((one) => [one.id, one.label]));
  if (!byId("verdicts").children.length) setUp();
  const mute = byId("verdicts").querySelector("[data-mute]");
  mute.dataset.mute = page.story.muted ? "unmute" : "mute";
  setText(mute, page.story.muted ? "Ring again" : "Mute");
  topics(page);
  others(page.others);
  const key = (one) => `${one.at}${one.who}${one.verdict}`;
  keyed(byId("decisions"), [...page.decisions].reverse(), key, decision, () => {});
}

function setUp() {
  const mute = quietButton("Mute", (button) => decide(button.dataset.mute));
  mute.dataset.mute = "mute";
  byId("verdicts").append(quietButton("Relevant", () => decide("relevant")), quietButton("Not relevant", () => decide("not_relevant")), mute);
  byId("wrong-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = [...byId("wrong-topics").querySelectorAll("input:checked")].map((box) => box.value);
    decide("wrong_topic", { topics: chosen }).then(() => (byId("wrong").open = false));
  });
  byId("merge-form").addEventListener("submit", (event) => {
    event.preventDefault();
    decide("merge", { other: byId("merge-other").value }).then(() => (byId("merge").open = false));
  });
}

function topics(page) {
  keyed(byId("wrong-topics"), page.topics, (one) => one.id, (one) => {
    const box = el("input", { attributes: { type: "checkbox", value: one.id } });
    return el("label", {}, box, " ", one.label);
  }, () => {});
}

function others(list) {
  setHidden(byId("merge"), list.length === 0);
  const select = byId("merge-other");
  if (document.activeElement === select) return; // somebody is choosing
  keyed(select, list, (one) => one.id, (one) => el("option", { attributes: { value: one.id } }), (node, one) => setText(node, `${format.moment(one.last_seen)}  ${one.headline}`));
}

export function splitButton(report) {
  return quietButton("Split off", () => decide("split", { article: report.article_id }), { name: `Split off the report of ${report.publisher}` });
}

// The same id for the same click, whatever becomes of the answer.
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function decide(verdict, more = {}) {
  const said = byId("decide-said");
  setText(said, "…");
  const answer = await act("/api/stories/decide", { id: newId(), story, verdict, ...more });
  if (!answer.ok) setText(said, answer.text);
  else setText(said, answer.value.done ? SAID[verdict] : "Written down; a worker does it as soon as it can");
  await again();
}

function decision(one) {
  const more = one.verdict === "wrong_topic" && one.right_topics.length ? `: ${one.right_topics.map((id) => labels[id] ?? id).join(", ")}` : "";
  const where = one.via === "page" ? "" : ` (${one.via})`;
  return el("li", {}, el("time", {}, format.moment(one.at)), el("span", {}, one.who + where), el("span", {}, (DONE[one.verdict] ?? one.verdict) + more));
}
