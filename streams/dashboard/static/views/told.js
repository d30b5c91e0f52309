// Who was told what of a story: every attempt, place by place, and telling a place again.

import { act } from "../act.js";
import { byId, el, quietButton, setText } from "../dom.js";
import * as format from "../format.js";

export function showTold(attempts, story, look) {
  const places = new Map();
  for (const one of attempts) {
    const place = `${one.sink}|${one.target}`;
    places.set(place, [...(places.get(place) ?? []), one]);
  }
  if (places.size === 0) setText(byId("told-said"), "Nobody has been told, as far as the log reaches.");
  byId("told-list").replaceChildren(...[...places].map(([place, tried]) => told(place, tried, story, look)));
}

function told(place, tried, story, look) {
  const name = place.replace("|", " ").trim();
  const again = quietButton("Send again", async () => {
    const answer = await act("/api/deliveries/resend", { destination: place, story });
    setText(byId("told-said"), answer.ok ? `${name} is told again` : answer.text);
    await look();
  }, { name: `Send again to ${name}` });
  return el(
    "div",
    { className: "place" },
    el("p", { className: "letter-head" }, el("b", {}, name), again),
    el("ol", { className: "reports" }, ...tried.map(attempt)),
  );
}

function attempt(one) {
  const outcome = one.outcome.replaceAll("_", " ");
  const why = one.detail && one.outcome !== "delivered" ? `: ${one.detail}` : "";
  const next = one.next_at && new Date(one.next_at) > format.getNow() ? `, again ${format.until(one.next_at)}` : "";
  return el("li", { attributes: { "data-state": one.outcome === "delivered" ? "ok" : "poor" } }, el("time", {}, format.clock(one.at, true)), el("span", {}, `revision ${one.revision}`), el("span", {}, outcome + why + next));
}
