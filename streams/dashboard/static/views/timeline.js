// How a story came about: every report, copy and decision in order, and which of them rang.

import { byId, el, keyed, safeLink } from "../dom.js";
import * as format from "../format.js";
import { splitButton } from "./decide.js";

const MARKS = {
  merge: "Another story was merged into this one",
  into: "This story was merged into another",
  left: "A report was split off",
  from: "This story began as a report split off from another",
  mute: "Muted",
  unmute: "Heard again",
};
const STATUS = { correction: "correction", withdrawn: "withdrawal", copy: "copy" };

export function showTimeline(page) {
  const key = (one) => `${one.at}${one.what}${one.article_id}${one.story}${one.rang?.revision ?? ""}`;
  const entries = page.entries.length ? page.entries : page.story.reports.map(fromReport);
  keyed(byId("timeline"), entries, key, (one) => entry(one, page), () => {});
}

// What Redis keeps no more is told by the alert alone.
function fromReport(report) {
  return { ...report, at: report.reported_at, what: "published", likeness: 0, story: "", rang: null };
}

function entry(one, page) {
  const node = el("li", { attributes: { "data-what": one.what, "data-rang": one.rang ? "true" : "false" } }, el("time", {}, format.moment(one.at)));
  const box = el("div", {});
  node.append(box);
  if (MARKS[one.what]) {
    box.append(el("p", { className: "mark-line" }, MARKS[one.what], one.story ? ": " : "", one.story ? el("a", { attributes: { href: `/stories/${encodeURIComponent(one.story)}`, dir: "auto" } }, one.title || one.story) : one.title));
  } else {
    box.append(report(one, page));
  }
  if (one.rang) box.append(rang(one.rang));
  return node;
}

function report(one, page) {
  const title = safeLink(one.url, one.title || one.url || one.article_id);
  title.setAttribute("dir", "auto");
  if (one.language) title.lang = one.language;
  const facts = [STATUS[one.what], one.likeness ? `likeness ${one.likeness.toFixed(2)}` : "", one.language ? format.languageName(one.language) : ""];
  const line = el("p", { className: "report" }, el("b", {}, one.publisher), " ", el("span", { className: "note" }, facts.filter(Boolean).join(" · ")));
  const parts = el("div", {}, line, el("p", { className: "title" }, title));
  if (one.article_id && page.story.article_count > 1 && one.what !== "copy") line.append(" ", splitButton(one));
  return parts;
}

function rang(one) {
  const changes = one.changes.length ? `: ${one.changes.join("; ")}` : "";
  return el("p", { className: "rang", attributes: { "data-priority": one.priority } }, el("b", {}, `Rang ${one.priority}`), ` as revision ${one.revision}${changes}`);
}
