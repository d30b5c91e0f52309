// The verdict: a state in a word, its cause, since when, and everything that was found.

import { byId, el, keyed, setData, setHidden, setText } from "../dom.js";
import * as format from "../format.js";

const WORDS = { healthy: "Healthy", degraded: "Degraded", down: "Down" };

export function showVerdict(verdict, changes) {
  setData(byId("verdict"), "state", verdict.state);
  setText(byId("verdict-state"), WORDS[verdict.state]);
  setText(byId("verdict-words"), `${verdict.words}.`);
  speak(verdict);
  const since = `Since ${format.moment(verdict.since)} · ${format.age(verdict.since)}`;
  setText(byId("verdict-since"), since);
  document.title = `${WORDS[verdict.state]} · Wirebell`;
  // A single cause is in the headline already.
  const rest = verdict.findings.filter((one) => one.words !== verdict.words);
  keyed(byId("findings"), rest, (one) => one.room + one.level + one.since, makeFinding, fillFinding);
  setHidden(byId("findings"), rest.length === 0);
  setHidden(byId("turns"), changes.length < 2);
  keyed(byId("turns-list"), changes, (one) => one.at, makeTurn, () => {});
}

export function showLost(silenceS) {
  setData(byId("verdict"), "state", "unknown");
  setText(byId("verdict-state"), "Unknown");
  setText(byId("verdict-words"), "The page does not hear from its server: nothing below is current.");
  setText(byId("verdict-since"), `Silent for ${format.span(silenceS)}`);
  document.title = "Unknown · Wirebell";
}

// Spans in the words change every second; a screen reader is told again only when the state
// or what was found has changed.
function speak(verdict) {
  const found = verdict.findings.map((one) => one.level + one.words.replace(/\d+/g, ""));
  const key = [verdict.state, ...found].join();
  if (byId("verdict-spoken").dataset.key === key) return;
  setData(byId("verdict-spoken"), "key", key);
  setText(byId("verdict-spoken"), `${WORDS[verdict.state]}. ${verdict.words}.`);
}

function makeFinding() {
  return el("li", {}, el("span", { className: "level" }), el("span", { className: "words" }));
}

function fillFinding(node, one) {
  setData(node, "level", one.level);
  setText(node.children[0], one.level);
  setText(node.children[1], one.words);
}

function makeTurn(one) {
  return el(
    "li",
    { attributes: { "data-state": one.state } },
    el("time", {}, format.moment(one.at)),
    ` ${WORDS[one.state]}: ${one.words}`,
  );
}
