// The stories that rang, newest first; each opens to tell how it came about.

import { act } from "../act.js";
import { byId, el, keyed, safeLink, setData, setHidden, setText } from "../dom.js";
import * as format from "../format.js";

const FIRST = 12;
let shown = FIRST;
let all = [];

export function showStories(stories) {
  all = stories;
  const publishers = new Set(stories.flatMap((one) => one.reports.map((report) => report.publisher)));
  const note = stories.length ? `The last ${stories.length}, from ${publishers.size} publishers` : "Nothing has rung yet.";
  setText(byId("stories-note"), note);
  keyed(byId("story-list"), stories.slice(0, shown), (one) => one.id, makeStory, fillStory);
  setHidden(byId("more-stories"), stories.length <= shown);
}

byId("more-stories").addEventListener("click", () => {
  const from = shown;
  shown += FIRST;
  showStories(all);
  byId("story-list").children[from]?.querySelector("summary")?.focus();
});

function makeStory(one) {
  const node = el(
    "article",
    { className: "story" },
    el("p", { className: "kicker" }, el("span", { className: "priority" }), el("span", { className: "when" }), el("span", { className: "kind" })),
    el("h3", { attributes: { dir: "auto" } }, el("a", { attributes: { href: `/stories/${encodeURIComponent(one.id)}` } })),
    el("p", { className: "topics" }),
    el("p", { className: "facts" }),
    el("details", {}, el("summary", {}, "How it came about"), el("div", { className: "inside" }), el("div", { className: "inside told" })),
  );
  node.querySelector("details").addEventListener("toggle", () => showTold(node, one.id));
  return node;
}

// Who was told what, when: asked for only while somebody looks.
async function showTold(node, storyId) {
  const details = node.querySelector("details");
  if (!details.open) return;
  const answer = await fetch(`/api/deliveries/attempts?${new URLSearchParams({ story: storyId })}`);
  const attempts = answer.ok ? (await answer.json()).reverse() : [];
  const told = attempts.map(attempt);
  const title = el("p", { className: "why" }, told.length ? "Who was told" : "Nobody has been told");
  const said = el("p", { className: "note", attributes: { role: "status" } });
  const places = new Set(attempts.map((one) => `${one.sink}|${one.target}`));
  const buttons = [...places].map((place) => resendButton(place, storyId, said));
  details.querySelector(".told").replaceChildren(title, el("ol", { className: "reports" }, ...told), el("p", { className: "buttons" }, ...buttons), said);
}

function resendButton(place, storyId, said) {
  const name = place.replace("|", " ").trim();
  const button = el("button", { className: "quiet acts", attributes: { type: "button" } }, `Send again to ${name}`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    const answer = await act("/api/deliveries/resend", { destination: place, story: storyId });
    said.textContent = answer.ok ? `${name} is told again` : answer.text;
    button.disabled = false;
  });
  return button;
}

function attempt(one) {
  const outcome = one.outcome.replaceAll("_", " ");
  const why = one.detail && one.outcome !== "delivered" ? `: ${one.detail}` : "";
  return el("li", {}, el("time", {}, format.clock(one.at, true)), el("span", {}, `${one.sink} ${one.target}`.trim()), el("span", {}, `revision ${one.revision} ${outcome}${why}`));
}

function fillStory(node, one) {
  const stamp = `${one.revision}`;
  if (node.dataset.revision !== stamp) {
    node.dataset.revision = stamp;
    rewrite(node, one);
  }
  setText(node.querySelector(".when"), format.moment(one.last_seen));
}

function rewrite(node, one) {
  const [kicker, headline, topics, facts, details] = node.children;
  setData(node, "priority", one.priority);
  const priority = kicker.querySelector(".priority");
  setText(priority, one.priority);
  priority.title = one.priority_reason;
  setText(kicker.querySelector(".kind"), kindWords(one));
  setText(headline.firstElementChild, one.headline);
  if (one.language) headline.lang = one.language;
  topics.replaceChildren(...one.topics.map(topic));
  facts.replaceChildren(...factWords(one));
  details.querySelector("summary").setAttribute("aria-label", `How it came about: ${one.headline}`);
  details.querySelector(".inside").replaceChildren(...inside(one));
  if (details.open) showTold(node, one.id);
}

function kindWords(one) {
  if (one.merged_into) return "now part of another";
  if (one.muted) return "muted";
  if (one.withdrawn) return "withdrawn";
  if (one.kind === "correction") return "corrected";
  return one.revision > 1 ? `update ${one.revision - 1}` : "new";
}

function topic(one) {
  const share = `${Math.round(100 * one.probability)} %`;
  return el("span", { className: "topic" }, one.label, " ", el("b", {}, share));
}

function factWords(one) {
  const facts = [];
  const publishers = one.reports.map((report) => report.publisher);
  const others = publishers.length > 3 ? ` and ${publishers.length - 3} more` : "";
  facts.push(["publishers", publishers.slice(0, 3).join(", ") + others]);
  if (one.places.length) facts.push(["places", one.places.slice(0, 4).map((place) => place.name).join(", ")]);
  if (one.tolls.length) facts.push(["tolls", one.tolls.map((toll) => `${toll.number} ${toll.kind}`).join(", ")]);
  if (one.evidence.length) facts.push(["evidence", one.evidence.slice(0, 6).map((word) => `“${word}”`).join(" ")]);
  return facts.map(([name, text]) => el("span", { className: name, attributes: { dir: "auto" } }, text));
}

function inside(one) {
  const parts = [el("p", { className: "why" }, `${one.priority}: ${one.priority_reason}`)];
  if (one.summary) parts.push(el("p", { className: "summary", attributes: { dir: "auto", lang: one.language || "und" } }, one.summary));
  for (const sentence of one.sentences.slice(0, 3)) parts.push(el("blockquote", { attributes: { dir: "auto" } }, sentence));
  if (one.corrected) parts.push(el("p", { className: "correction", attributes: { dir: "auto" } }, `Corrected: ${one.corrected}`));
  if (one.changes.length) parts.push(el("p", {}, `Revision ${one.revision} because: ${one.changes.join("; ")}`));
  parts.push(el("ol", { className: "reports" }, ...one.reports.map(report)));
  const copies = one.article_count - one.reports.length;
  const more = copies > 0 ? `, ${copies} of them copies or editions` : "";
  parts.push(el("p", { className: "note" }, `${one.article_count} articles${more}; first seen ${format.moment(one.first_seen)} · story ${one.id}`));
  return parts;
}

function report(one) {
  const title = one.title || one.url || one.article_id;
  const text = safeLink(one.url, title);
  text.setAttribute("dir", "auto");
  if (one.language) text.lang = one.language;
  return el("li", {}, el("time", {}, format.moment(one.reported_at)), el("span", { className: "publisher" }, one.publisher), text);
}
