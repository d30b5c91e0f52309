// Who did what, when: asked for when somebody looks, and after every action from this page.

import { byId, el, keyed, setText } from "../dom.js";
import * as format from "../format.js";

const FIRST = 8;
let all = false;

export async function loadActions() {
  const answer = await fetch("/api/actions").catch(() => null);
  if (!answer?.ok) return;
  const actions = await answer.json();
  setText(byId("actions-note"), actions.length ? `The last ${actions.length}` : "Nobody has done anything yet.");
  byId("more-actions").hidden = all || actions.length <= FIRST;
  const shown = all ? actions : actions.slice(0, FIRST);
  keyed(byId("action-list"), shown, (one) => one.at + one.who + one.what + one.about, makeAction, (node, one) => setText(node.firstElementChild, format.moment(one.at)));
}

function makeAction(one) {
  const about = one.about ? ` ${one.about}` : "";
  return el(
    "li",
    {},
    el("time", {}),
    el("span", { className: "who" }, one.who),
    el("span", {}, el("b", {}, one.what), about, one.failed ? el("span", { className: "failed" }, ` – ${one.failed}`) : null),
  );
}

byId("more-actions").addEventListener("click", () => {
  all = true;
  loadActions();
});
addEventListener("wirebell-acted", loadActions);
