// The page's entry: one event stream in, each view fed with what it shows.
"use strict";

import { showRole } from "./act.js";
import { byId, setText } from "./dom.js";
import * as format from "./format.js";
import { setUpTheme } from "./theme-button.js";
import { addPoint, drawCharts, loadHistory } from "./views/charts.js";
import { showDeliveries } from "./views/deliveries.js";
import { showLetters } from "./views/letters.js";
import { loadActions } from "./views/actions.js";
import { showModels } from "./views/models.js";
import { showQuality } from "./views/quality.js";
import { showCanary, showLag, showProcesses } from "./views/line.js";
import { showMap } from "./views/map.js";
import { showSources } from "./views/sources.js";
import { showStories } from "./views/stories.js";
import { showLost, showVerdict } from "./views/verdict.js";
import { showWay } from "./views/way.js";

// The server shows every second. Silence for longer means that nothing here is true any more.
const SILENCE_MS = 6000;
let lastHeard = Date.now();

function showSnapshot(snapshot) {
  lastHeard = Date.now();
  format.setNow(snapshot.at);
  format.setZone(snapshot.time_zone);
  setText(byId("date"), format.day(snapshot.at));
  setText(byId("clock"), `${format.clock(snapshot.at, true)} ${format.zoneName()}`);
  showVerdict(snapshot.verdict, snapshot.changes);
  showWay(snapshot.way);
  showLag(snapshot.lag);
  showCanary(snapshot.canary);
  showSources(snapshot.sources);
  showDeliveries(snapshot.destinations, snapshot.attempts);
  showLetters(snapshot.dead_letters, snapshot.dead_letters_total);
  showProcesses(snapshot.processes);
}

function listen() {
  const events = new EventSource("/events");
  const on = (name, show) =>
    events.addEventListener(name, (event) => show(JSON.parse(event.data)));
  events.addEventListener("open", () => {
    loadHistory();
    loadActions();
  });
  on("snapshot", showSnapshot);
  on("point", addPoint);
  on("quality", (quality) => {
    showQuality(quality);
    showModels(quality.models);
  });
  on("stories", (stories) => {
    showStories(stories);
    showMap(stories);
  });
}

setUpTheme(drawCharts);
showRole(byId("me"));
listen();
setInterval(() => {
  if (Date.now() - lastHeard > SILENCE_MS) showLost((Date.now() - lastHeard) / 1000);
}, 1000);
