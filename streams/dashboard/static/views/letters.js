// Dead letters: grouped by reason, searched, shown, replayed one or all after a dry run has counted.

import { act } from "../act.js";
import { byId, el, fillRow, keyed, makeRow, quietButton, setData, setHidden, setText } from "../dom.js";
import * as format from "../format.js";

let chosen = null;
let armed = false;

export function showLetters(groups, total) {
  setText(byId("letters-note"), total ? `${format.count(total)} in Kafka` : "None");
  setHidden(byId("letters-table"), groups.length === 0);
  setHidden(byId("letter-search"), total === 0);
  keyed(byId("letter-rows"), groups, (one) => `${one.stage} ${one.reason}`, makeGroup, (row, one) => {
    fillRow(row, [one.stage, one.reason.replaceAll("_", " "), format.count(one.recent), format.count(one.total)]);
    setData(row, "state", one.recent && one.stage !== "source" ? "poor" : "ok");
  });
}

function makeGroup(one) {
  const row = makeRow(["", "", "number", "number", "act"]);
  const name = `${one.stage}, ${one.reason.replaceAll("_", " ")}`;
  row.lastElementChild.append(quietButton("Show", () => look({ stage: one.stage, reason: one.reason, search: "" }, name), { name: `Show dead letters: ${name}`, acts: false }));
  return row;
}

byId("letter-search").addEventListener("submit", (event) => {
  event.preventDefault();
  const search = byId("letter-words").value.trim();
  if (search) look({ stage: "", reason: "", search }, `with “${search}”`);
});

async function look(wanted, name) {
  chosen = wanted;
  disarm();
  setText(byId("letter-title"), name);
  setText(byId("letter-said"), "Reading …");
  byId("letter-list").replaceChildren();
  setHidden(byId("letter-box"), false);
  byId("letter-title").focus();
  const query = new URLSearchParams({ stage: wanted.stage, reason: wanted.reason, q: wanted.search });
  const answer = await fetch(`/api/dead-letters?${query}`);
  if (!answer.ok) {
    setText(byId("letter-said"), await answer.text());
    return;
  }
  const { found, letters } = await answer.json();
  setText(byId("letter-said"), found > letters.length ? `${format.count(found)}, the newest ${letters.length} are shown` : format.count(found));
  setHidden(byId("replay"), found === 0);
  byId("letter-list").replaceChildren(...letters.map(letter));
}

function letter(one) {
  const facts = [format.moment(one.at), one.stage, one.origin, one.attempts > 1 ? `${one.attempts} attempts` : "", one.replayed_at ? `replayed ${format.moment(one.replayed_at)}` : "", one.returns ? "" : "cannot go back"];
  const said = el("span", { className: "note", attributes: { role: "status" } });
  const again = quietButton(one.replayed_at ? "Replay this one again" : "Replay this one", async () => {
    const answer = await act("/api/dead-letters/replay", { ids: [one.id], again: Boolean(one.replayed_at) });
    said.textContent = !answer.ok ? ` ${answer.text}` : answer.value.before ? " was sent back before; look again" : " sent back";
  }, { name: `Replay the dead letter of ${format.moment(one.at)}: ${one.detail}` });
  return el(
    "li",
    {},
    el("span", { className: "note" }, facts.filter(Boolean).join(" · ")),
    el("p", {}, one.detail),
    one.raw ? el("pre", { attributes: { tabindex: "0", "aria-label": "The record as it came" } }, one.raw) : null,
    one.returns ? el("p", { className: "buttons" }, again, said) : null,
  );
}

function disarm() {
  armed = false;
  setText(byId("replay"), "Replay all");
}

// The first press counts, the second acts.
byId("replay").addEventListener("click", async () => {
  const button = byId("replay");
  button.disabled = true;
  const answer = await act("/api/dead-letters/replay", { ...chosen, dry_run: !armed });
  button.disabled = false;
  if (!answer.ok) {
    setText(byId("letter-said"), answer.text);
    disarm();
  } else if (armed) {
    setText(byId("letter-said"), `${format.count(answer.value.returned)} sent back to where they came from`);
    disarm();
  } else if (answer.value.returned === 0) {
    setText(byId("letter-said"), answer.value.before ? `${format.count(answer.value.before)} went back before; replay one by one what shall go again` : "None of these can go back");
  } else {
    armed = true;
    setText(button, `Replay ${format.count(answer.value.returned)} now`);
    const before = answer.value.before ? `; ${format.count(answer.value.before)} went back before and stay` : "";
    setText(byId("letter-said"), `${format.count(answer.value.returned)} of ${format.count(answer.value.chosen)} can go back${before}`);
  }
});
