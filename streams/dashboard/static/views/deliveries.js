// Who is told, how that goes, and the last attempts; a whole span of time can be sent again.

import { act } from "../act.js";
import { byId, el, fillRow, keyed, makeRow, quietButton, setData, setHidden, setText } from "../dom.js";
import * as format from "../format.js";

const OUTCOMES = {
  delivered: "delivered",
  not_sent: "not sent",
  unknown: "in doubt",
  refused: "refused",
  turned_off: "turned off",
};

function place(one) {
  return one.target ? `${one.sink} ${one.target}` : one.sink;
}

function stateOf(one) {
  if (one.off) return ["bad", `turned off: ${one.off}`];
  if (one.failing_since) return ["poor", `failing for ${format.age(one.failing_since)}${one.detail ? `: ${one.detail}` : ""}`];
  if (one.in_flight) return ["ok", "telling"];
  return ["ok", one.told_at ? "up to date" : "not told yet"];
}

function makeDestination(one) {
  const row = makeRow(["", "wide", "number", "number", "", "", "number", "", "act"]);
  const turnOn = quietButton("Turn on", async () => {
    const answer = await act("/api/destinations/turn-on", { destination: one.id });
    say(answer.ok ? `${place(one)} is told again` : answer.text);
  }, { name: `Turn ${place(one)} on` });
  turnOn.hidden = true;
  row.lastElementChild.append(turnOn, quietButton("Send again", () => offer(one), { name: `Send again to ${place(one)} what it was told lately` }));
  return row;
}

function say(text) {
  setText(byId("deliveries-said"), text);
}

// First the span is chosen and counted, then it is sent.
function offer(one) {
  const span = el("select", { attributes: { "aria-label": "How far back" } });
  for (const [minutes, words] of [[15, "the last 15 minutes"], [60, "the last hour"], [720, "the last 12 hours"], [2880, "the last 2 days"]]) {
    span.append(el("option", { attributes: { value: minutes } }, words));
  }
  const said = el("span", { attributes: { role: "status" } });
  const ask = (dryRun) => act("/api/deliveries/resend", { destination: one.id, since_minutes: Number(span.value), dry_run: dryRun });
  const send = quietButton("Send again now", async () => {
    const answer = await ask(false);
    box.hidden = true;
    say(answer.ok ? `${format.count(answer.value.resent)} stories are sent to ${place(one)} again` : answer.text);
  });
  const count = async () => {
    send.hidden = true;
    const answer = await ask(true);
    said.textContent = answer.ok ? `${format.count(answer.value.resent)} stories` : answer.text;
    send.hidden = !answer.ok || answer.value.resent === 0;
  };
  span.addEventListener("change", count);
  const box = byId("resend-box");
  box.replaceChildren(el("span", {}, `To ${place(one)} again: `), span, " ", said, " ", send, " ", quietButton("Leave it", () => setHidden(box, true), { acts: false }));
  setHidden(box, false);
  span.focus();
  return count();
}

function success(one) {
  if (!one.attempts) return "–";
  return `${Math.round((100 * one.delivered) / one.attempts)} % of ${format.count(one.attempts)}`;
}

export function showDeliveries(destinations, attempts) {
  const waiting = destinations.reduce((sum, one) => sum + one.waiting, 0);
  setText(byId("deliveries-note"), destinations.length ? (waiting ? `${format.count(waiting)} wait` : "Nothing waits") : "Nobody has been told anything yet");
  keyed(byId("destination-rows"), destinations, place, makeDestination, (row, one) => {
    const [state, words] = stateOf(one);
    fillRow(row, [
      place(one),
      words,
      success(one),
      format.count(one.waiting),
      one.oldest_at ? format.age(one.oldest_at) : "–",
      one.next_at ? format.until(one.next_at) : "–",
      one.limited ? format.count(one.limited) : "–",
      format.ago(one.told_at),
    ]);
    setHidden(row.querySelector("button"), !one.off);
    setData(row, "state", state);
  });
  const key = (one) => `${one.at}${one.sink}${one.target}${one.story_id}${one.revision}`;
  keyed(byId("attempt-rows"), attempts, key, makeAttempt, (row, one) => {
    const outcome = OUTCOMES[one.outcome] ?? one.outcome;
    const why = one.detail && one.outcome !== "delivered" ? `: ${one.detail}` : "";
    fillRow(row, [format.clock(one.at, true), place(one), outcome + why]);
    setData(row, "state", one.outcome === "delivered" ? "ok" : one.outcome === "refused" ? "bad" : "poor");
  });
}

function makeAttempt(one) {
  const row = makeRow(["time", "", "wide", "id"]);
  row.lastElementChild.append(el("a", { attributes: { href: `/stories/${encodeURIComponent(one.story_id)}` } }, `${one.story_id.slice(0, 8)} · ${one.revision}`));
  return row;
}
