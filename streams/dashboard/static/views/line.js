// The line's own tables: lag by partition, processes.

import { byId, fillRow, keyed, makeRow, setData, setText } from "../dom.js";
import * as format from "../format.js";

const LAG = {
  ok: "moving",
  warn: "falling behind",
  stall: "stalled",
  stop: "stopped",
  rewind: "went back",
};

export function showLag(partitions) {
  const records = partitions.reduce((sum, one) => sum + one.records, 0);
  const worst = Math.max(0, ...partitions.map((one) => one.seconds));
  const behind = records ? `${format.count(records)} wait for a worker, the oldest ${format.seconds(worst)}` : "Nothing waits";
  setText(byId("lag-note"), partitions.length ? behind : "No Kafka topic has been seen yet");
  const cells = ["", "number", "number", "number", ""];
  keyed(byId("lag-rows"), partitions, (one) => `${one.kafka_topic}/${one.partition}`, () => makeRow(cells), (row, one) => {
    const state = one.records === 0 ? "level" : LAG[one.state];
    const behindS = one.records ? format.seconds(one.seconds) : "0 s";
    fillRow(row, [`${one.kafka_topic}/${one.partition}`, behindS, format.count(one.records), format.count(one.committed), state]);
    setData(row, "state", one.state === "ok" ? "ok" : one.state === "stop" ? "bad" : "poor");
  });
}

export function showProcesses(processes) {
  const cells = ["", "", "", "", "number", "id"];
  keyed(byId("process-rows"), processes, (one) => `${one.host}/${one.pid}/${one.started_at}`, () => makeRow(cells), (row, one) => {
    const silent = one.state === "silent" ? `silent for ${format.age(one.at)}` : one.state;
    fillRow(row, [one.role, `${one.host} · ${one.pid}`, silent, format.age(one.started_at), format.megabytes(one.rss_bytes), one.model || "–"]);
    setData(row, "state", { alive: "ok", stopped: "past", silent: "bad" }[one.state]);
  });
}

export function showCanary(canary) {
  let said = "No test article has been sent yet";
  if (canary) {
    const back = canary.back_at ? `The last came back ${format.ago(canary.back_at)}, in ${format.seconds(canary.seconds)}` : "None has come back yet";
    said = `${back}. Sent in the last hour ${canary.sent}, missed ${canary.missed}`;
  }
  setText(byId("canary-note"), said);
}
