// How numbers, times and spans are written. Ages are against the server's clock.

let zone = "UTC";
let now = new Date();

export function setZone(name) {
  zone = name;
}

export function setNow(iso) {
  now = new Date(iso);
}

export function getNow() {
  return now;
}

export function count(number) {
  return new Intl.NumberFormat("en").format(number);
}

export function rate(perMinute) {
  if (perMinute >= 600) return `${count(Math.round(perMinute / 60))}/s`;
  return `${perMinute >= 10 ? Math.round(perMinute) : perMinute.toFixed(1)}/min`;
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0 s";
  if (value < 1) return `${Math.max(1, Math.round(value * 1000))} ms`;
  if (value < 10) return `${value.toFixed(1)} s`;
  return span(value);
}

export function span(total) {
  const value = Math.max(0, Math.floor(total));
  if (value >= 172800) return `${Math.floor(value / 86400)} days`;
  if (value >= 7200) return `${Math.floor(value / 3600)} h`;
  if (value >= 120) return `${Math.floor(value / 60)} min`;
  return `${value} s`;
}

export function ago(iso) {
  if (!iso) return "never";
  return `${span((now - new Date(iso)) / 1000)} ago`;
}

export function until(iso) {
  if (!iso) return "–";
  const left = (new Date(iso) - now) / 1000;
  return left <= 0 ? "now" : `in ${span(left)}`;
}

export function age(iso) {
  return span((now - new Date(iso)) / 1000);
}

export function clock(iso, withSeconds = false) {
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone };
  if (withSeconds) options.second = "2-digit";
  return new Intl.DateTimeFormat("en-GB", options).format(new Date(iso));
}

export function day(iso) {
  const options = { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: zone };
  return new Intl.DateTimeFormat("en-GB", options).format(new Date(iso));
}

// "14:05" today, "3 Mar 14:05" on another day.
export function moment(iso) {
  const same = day(iso) === day(now.toISOString());
  if (same) return clock(iso);
  const options = { day: "numeric", month: "short", timeZone: zone };
  return `${new Intl.DateTimeFormat("en-GB", options).format(new Date(iso))} ${clock(iso)}`;
}

export function zoneName() {
  return zone.replace("_", " ");
}

export function megabytes(bytes) {
  return `${Math.round(bytes / 1e6)} MB`;
}

export function languageName(code) {
  if (!code) return "";
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return code;
  }
}

export function countryName(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "region" }).of(code);
  } catch {
    return code;
  }
}
