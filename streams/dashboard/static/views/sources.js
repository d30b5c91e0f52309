// The sources: what each last said, what it brought, when it is asked again.

import { act } from "../act.js";
import { byId, el, fillRow, keyed, makeRow, setData, setHidden, setText } from "../dom.js";
import * as format from "../format.js";

const WORDS = {
  ok: "well",
  waiting: "not asked yet",
  done: "read to the end",
  paused: "paused",
  empty: "empty",
  undated: "undated",
  quiet: "strangely quiet",
  copies: "only copies",
  faltering: "faltering",
  dead: "dead",
};
const STATE = { ok: "ok", done: "ok", waiting: "past", paused: "past", dead: "bad" };
const ORDER = ["dead", "faltering", "empty", "undated", "copies", "quiet", "ok", "done", "waiting", "paused"];

export function showSources(sources) {
  const sorted = [...sources].sort(
    (left, right) => ORDER.indexOf(left.condition) - ORDER.indexOf(right.condition) || left.id.localeCompare(right.id),
  );
  setText(byId("sources-note"), summary(sources));
  keyed(byId("source-rows"), sorted, (one) => one.id, makeSource, fillSource);
}

function summary(sources) {
  if (sources.length === 0) return "No source is configured.";
  const counts = new Map();
  for (const one of sources) counts.set(one.condition, (counts.get(one.condition) ?? 0) + 1);
  return ORDER.filter((name) => counts.has(name)).map((name) => `${counts.get(name)} ${WORDS[name]}`).join(", ");
}

function makeSource(one) {
  const row = makeRow(["", "", "answer", "number", "number", "number", "", "", "", "number", "", "act"]);
  const pause = el("button", { className: "quiet acts", attributes: { type: "button" } });
  const now = el("button", { className: "quiet acts", attributes: { type: "button", "aria-label": `Poll ${one.id} now` } }, "Poll now");
  pause.addEventListener("click", () => wish(row.dataset.paused === "true" ? "resume" : "pause", one.id));
  now.addEventListener("click", () => wish("poll-now", one.id));
  row.lastElementChild.append(pause, now);
  return row;
}

const SAID = { pause: "is to be paused", resume: "is to be asked again", "poll-now": "is to be asked now" };

async function wish(what, id) {
  const answer = await act(`/api/sources/${what}`, { source: id });
  setText(byId("sources-said"), answer.ok ? `${id} ${SAID[what]}` : `${id}: ${answer.text}`);
}

function share(value) {
  return value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`;
}

function fillSource(row, one) {
  const words = WORDS[one.condition] ?? one.condition;
  const since = ["dead", "paused"].includes(one.condition) && one.since ? ` for ${format.age(one.since)}` : "";
  fillRow(row, [
    one.id,
    words + since,
    one.answer,
    format.count(one.articles),
    share(one.copies_share),
    share(one.undated_share),
    format.ago(one.last_new_at),
    one.usual_gap_s === null ? "–" : format.span(one.usual_gap_s),
    format.ago(one.last_success_at),
    one.failures || "–",
    format.until(one.next_poll_at),
  ]);
  setData(row, "state", STATE[one.condition] ?? "poor");
  const paused = one.condition === "paused";
  setData(row, "paused", paused);
  const [pause, now] = row.lastElementChild.children;
  setText(pause, paused ? "Resume" : "Pause");
  pause.setAttribute("aria-label", `${paused ? "Resume" : "Pause"} ${one.id}`);
  setHidden(pause, !one.can_pause);
  setHidden(now, paused || !one.can_pause);
}
