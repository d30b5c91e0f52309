// The versions of the topic model: which is in force, promoting one, rolling back.

import { act } from "../act.js";
import { byId, fillRow, keyed, makeRow, quietButton, setData, setHidden, setText } from "../dom.js";
import * as format from "../format.js";

// As `wirebell models` shows them: English has the most of each topic, the natural mix the false bells.
const MAIN = "english";
let turned = false;

export function showModels(models) {
  setHidden(byId("models"), models.length === 0);
  turned = models.some((one) => one.state === "in force" && !one.shipped);
  keyed(byId("model-rows"), models, (one) => one.version, makeModel, fillModel);
}

function makeModel(one) {
  const row = makeRow(["id", "", "", "number", "number", "answer", "act"]);
  row.lastElementChild.append(
    quietButton("Promote", () => turn("/api/models/promote", { version: one.version }, `${one.version} comes into force; the workers take it within seconds`), { name: `Promote model ${one.version}` }),
        quietButton("Roll back", () => turn("/api/models/roll-back", {}, "The model before is in force again"), { name: `Roll model ${one.version} back` }),
  );
  return row;
}

async function turn(path, wish, done) {
  const answer = await act(path, wish);
  setText(byId("models-said"), answer.ok ? done : answer.text);
}

function fillModel(row, one) {
  const scores = one.scores[MAIN] ?? Object.values(one.scores)[0];
  const bells = (one.scores.natural ?? scores)?.false_bells_per_1000;
  fillRow(row, [
    one.version,
    one.state + (one.who ? ` · ${one.who}` : ""),
    one.trained_at ? format.moment(one.trained_at) : one.shipped ? "ships" : "–",
    scores ? scores.macro_f1.toFixed(3) : "–",
    bells === undefined ? "–" : bells.toFixed(0),
    [one.learned_from, one.why].filter(Boolean).join("; "),
  ]);
  setData(row, "state", one.state === "refused" ? "poor" : one.state === "in force" ? "ok" : "past");
  const [promote, back] = row.lastElementChild.children;
  setHidden(promote, one.state !== "ready");
  setHidden(back, !(one.state === "in force" && turned));
}
