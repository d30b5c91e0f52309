// Who is told, how that goes, and the last attempts.

import { act } from "../act.js";
import { byId, el, fillRow, keyed, makeRow, setData, setHidden, setText } from "../dom.js";
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
  if (one.failing_since) {
    const next = one.next_at ? `, next try ${format.until(one.next_at)}` : "";
    return ["poor", `failing for ${format.age(one.failing_since)}${one.detail ? `: ${one.detail}` : ""}${next}`];
  }
  if (one.in_flight) return ["ok", "telling"];
  return ["ok", one.told_at ? "up to date" : "not told yet"];
}

function makeDestination(one) {
  const row = makeRow(["", "", "number", "", "act"]);
  const button = el("button", { className: "quiet", attributes: { type: "button", "aria-label": `Turn ${place(one)} on` } }, "Turn on");
  button.hidden = true;
  button.addEventListener("click", async () => {
    button.disabled = true;
    const answer = await act("/api/destinations/turn-on", { destination: one.id });
    setText(byId("deliveries-said"), answer.ok ? `${place(one)} is told again` : answer.text);
    button.disabled = false;
  });
  row.lastElementChild.append(button);
  return row;
}

export function showDeliveries(destinations, attempts) {
  const waiting = destinations.reduce((sum, one) => sum + one.waiting, 0);
  setText(byId("deliveries-note"), destinations.length ? (waiting ? `${format.count(waiting)} wait` : "Nothing waits") : "Nobody has been told anything yet");
  keyed(byId("destination-rows"), destinations, place, makeDestination, (row, one) => {
    const [state, words] = stateOf(one);
    fillRow(row, [place(one), words, format.count(one.waiting), format.ago(one.told_at)]);
    setHidden(row.querySelector("button"), !one.off);
    setData(row, "state", state);
  });
  const key = (one) => `${one.at}${one.sink}${one.target}${one.story_id}${one.revision}`;
  keyed(byId("attempt-rows"), attempts, key, () => makeRow(["time", "", "", "id"]), (row, one) => {
    const outcome = OUTCOMES[one.outcome] ?? one.outcome;
    const why = one.detail && one.outcome !== "delivered" ? `: ${one.detail}` : "";
    fillRow(row, [format.clock(one.at, true), place(one), outcome + why, `${one.story_id.slice(0, 8)} · ${one.revision}`]);
    setData(row, "state", one.outcome === "delivered" ? "ok" : one.outcome === "refused" ? "bad" : "poor");
  });
}
