// The sources: what each last said, what it brought, when it is asked again.

import { byId, fillRow, keyed, makeRow, setData, setText } from "../dom.js";
import * as format from "../format.js";

const WORDS = {
  ok: "well",
  waiting: "not asked yet",
  done: "read to the end",
  paused: "paused",
  empty: "empty",
  undated: "undated",
  quiet: "quiet",
  faltering: "faltering",
  dead: "dead",
};
const STATE = { ok: "ok", done: "ok", waiting: "past", paused: "past", dead: "bad" };
const ORDER = ["dead", "faltering", "empty", "undated", "quiet", "ok", "done", "waiting", "paused"];

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

function makeSource() {
  return makeRow(["", "", "answer", "number", "", "", "number", ""]);
}

function fillSource(row, one) {
  const words = WORDS[one.condition] ?? one.condition;
  const since = one.condition === "dead" && one.since ? ` for ${format.age(one.since)}` : "";
  fillRow(row, [
    one.id,
    words + since,
    one.answer,
    format.count(one.articles),
    format.ago(one.last_new_at),
    format.ago(one.last_success_at),
    one.failures || "–",
    format.until(one.next_poll_at),
  ]);
  setData(row, "state", STATE[one.condition] ?? "poor");
}
