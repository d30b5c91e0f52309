// Dead letters: grouped by reason, shown on request, replayed after a dry run has counted.

import { act } from "../act.js";
import { byId, el, fillRow, keyed, makeRow, setData, setHidden, setText } from "../dom.js";
import * as format from "../format.js";

let open = null;
let armed = false;

export function showLetters(groups, total) {
  setText(byId("letters-note"), total ? `${format.count(total)} in Kafka` : "None");
  setHidden(byId("letters-table"), groups.length === 0);
  keyed(byId("letter-rows"), groups, (one) => `${one.stage} ${one.reason}`, makeGroup, (row, one) => {
    fillRow(row, [one.stage, one.reason.replaceAll("_", " "), format.count(one.recent), format.count(one.total)]);
    setData(row, "state", one.recent && one.stage !== "source" ? "poor" : "ok");
  });
}

function makeGroup(one) {
  const row = makeRow(["", "", "number", "number", "act"]);
  const name = `${one.stage}, ${one.reason.replaceAll("_", " ")}`;
  const button = el("button", { className: "quiet", attributes: { type: "button", "aria-label": `Show dead letters: ${name}` } }, "Show");
  button.addEventListener("click", () => look(one, name));
  row.lastElementChild.append(button);
  return row;
}

async function look(group, name) {
  open = group;
  disarm();
  setText(byId("letter-title"), name);
  setText(byId("letter-said"), "Reading …");
  byId("letter-list").replaceChildren();
  setHidden(byId("letter-box"), false);
  byId("letter-title").focus();
  const query = new URLSearchParams({ stage: group.stage, reason: group.reason });
  const answer = await fetch(`/api/dead-letters?${query}`);
  if (!answer.ok) {
    setText(byId("letter-said"), await answer.text());
    return;
  }
  const letters = await answer.json();
  setText(byId("letter-said"), `The newest ${letters.length}`);
  byId("letter-list").replaceChildren(...letters.map(letter));
}

function letter(one) {
  const facts = [format.moment(one.at), one.origin, one.attempts > 1 ? `${one.attempts} attempts` : "", one.returns ? "" : "cannot go back"];
  return el(
    "li",
    {},
    el("span", {}, facts.filter(Boolean).join(" · ")),
    el("br"),
    el("span", { className: "note" }, one.detail),
    one.raw ? el("pre", { attributes: { tabindex: "0", "aria-label": "The record as it came" } }, one.raw) : null,
  );
}

function disarm() {
  armed = false;
  setText(byId("replay"), "Replay");
}

// The first press counts, the second acts.
byId("replay").addEventListener("click", async () => {
  const button = byId("replay");
  button.disabled = true;
  const answer = await act("/api/dead-letters/replay", { stage: open.stage, reason: open.reason, dry_run: !armed });
  button.disabled = false;
  if (!answer.ok) {
    setText(byId("letter-said"), answer.text);
    disarm();
  } else if (armed) {
    setText(byId("letter-said"), `${format.count(answer.value.returned)} sent back to where they came from`);
    disarm();
  } else if (answer.value.returned === 0) {
    setText(byId("letter-said"), "None of these can go back");
  } else {
    armed = true;
    setText(button, `Replay ${format.count(answer.value.returned)} now`);
    setText(byId("letter-said"), `${format.count(answer.value.returned)} of ${format.count(answer.value.chosen)} can go back`);
  }
});
