// One story's page: asked for anew every few seconds while somebody looks at it.
"use strict";

import { showRole } from "./act.js";
import { byId, el, setData, setHidden, setText } from "./dom.js";
import * as format from "./format.js";
import { setUpTheme } from "./theme-button.js";
import { showDecide } from "./views/decide.js";
import { showMap } from "./views/map.js";
import { showTimeline } from "./views/timeline.js";
import { showTold } from "./views/told.js";

const EVERY_MS = 4000;
const id = decodeURIComponent(location.pathname.split("/").pop());
let last = "";

async function look() {
  const answer = await fetch(`/api/stories/${encodeURIComponent(id)}`).catch(() => null);
  if (!answer) return;
  const text = await answer.text();
  if (!answer.ok) {
    if (!last) setText(byId("headline"), answer.status === 404 ? "There is no such story, or it is too long ago." : text);
    return;
  }
  format.setNow(new Date().toISOString());
  if (text !== last) show(JSON.parse(text));
  last = text;
}

function show(page) {
  const { story } = page;
  document.title = `${story.headline} · Wirebell`;
  setData(byId("story"), "priority", story.priority);
  setText(byId("priority"), story.priority);
  setText(byId("kind"), kind(story));
  setText(byId("seen"), `${format.moment(story.first_seen)} to ${format.moment(story.last_seen)} · revision ${story.revision}`);
  setText(byId("headline"), story.headline);
  if (story.language) byId("headline").lang = story.language;
  setText(byId("why"), story.priority_reason);
  setText(byId("summary"), story.summary);
  if (story.language) byId("summary").lang = story.language;
  byId("facts").replaceChildren(...facts(story));
  byId("topics").replaceChildren(...story.topics.map((one) => topic(one, page.evidence)));
  showTimeline(page);
  showTold(page.attempts, id, look);
  showDecide(page, look);
  showMap([story]);
  setHidden(byId("story-body"), false);
}

function kind(story) {
  if (story.merged_into) return "part of another story now";
  if (story.muted) return "muted";
  if (story.withdrawn) return "withdrawn";
  if (story.corrected) return "corrected";
  return story.revision > 1 ? `update ${story.revision - 1}` : "new";
}

function facts(story) {
  const said = [`${story.reports.length} ${story.reports.length === 1 ? "publisher" : "publishers"}, ${story.article_count} ${story.article_count === 1 ? "article" : "articles"}`];
  for (const toll of story.tolls) said.push(`${toll.number} ${toll.kind}${toll.said_by ? `, says ${toll.said_by}` : ""} (${toll.publisher})`);
  if (story.corrected) said.push(`Corrected: ${story.corrected}`);
  const nodes = said.map((text) => el("span", { attributes: { dir: "auto" } }, text));
  if (story.merged_into) nodes.push(el("a", { attributes: { href: `/stories/${encodeURIComponent(story.merged_into)}` } }, "The story that it is part of"));
  return nodes;
}

function topic(one, evidence) {
  const why = evidence.find((each) => each.topic === one.topic);
  const share = Math.round(100 * one.probability);
  const meter = el("meter", { attributes: { min: 0, max: 1, value: one.probability, "aria-label": `${one.label}: ${share} %` } });
  return el(
    "li",
    {},
    el("p", { className: "topic-line" }, el("b", {}, one.label), meter, el("span", { className: "number" }, `${share} %`)),
    why?.words.length ? el("p", { className: "evidence", attributes: { dir: "auto" } }, why.words.map((word) => `“${word}”`).join(" ")) : null,
    typeof why?.first === "number" ? el("p", { className: "number" }, `read twice; ${Math.round(100 * why.first)} % by these words alone`) : null,
    why?.unread ? el("p", { className: "number" }, "doubtful, and not read twice") : null,
    why?.sentence ? el("blockquote", { attributes: { dir: "auto" } }, why.sentence) : null,
  );
}

async function start() {
  const snapshot = await fetch("/api/snapshot").catch(() => null);
  if (snapshot?.ok) format.setZone((await snapshot.json()).time_zone);
  byId("as-json").href = `/api/stories/${encodeURIComponent(id)}`;
  await look();
  setInterval(() => document.visibilityState === "visible" && look(), EVERY_MS);
}

setUpTheme();
showRole(byId("me"));
start();
