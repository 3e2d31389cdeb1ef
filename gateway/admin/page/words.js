"use strict";
// How numbers, times and events are said. Nothing here touches the page.

const DAY_MS = 24 * 3600 * 1000;
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

function duration(seconds) {
  seconds = Math.max(0, Math.floor(seconds));
  const place = UNITS.findIndex(([, length]) => seconds >= length);
  if (place < 0) return "0 s";
  const [unit, length] = UNITS[place];
  const next = UNITS[place + 1];
  const rest = next ? Math.floor((seconds % length) / next[1]) : 0;
  const whole = `${Math.floor(seconds / length)} ${unit}`;
  return rest ? `${whole} ${rest} ${next[0]}` : whole;
}

const age = (stamp, now) => duration((now - Date.parse(stamp)) / 1000);
const ago = (stamp, now) => (stamp ? `${age(stamp, now)} ago` : "never");
const count = (number) => number.toLocaleString("en-US");
const words = (text) => text.replaceAll("_", " ");
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

function size(bytes) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (bytes < 1024) return `${unit === "B" ? bytes : bytes.toFixed(1)} ${unit}`;
    bytes /= 1024;
  }
  return `${bytes.toFixed(1)} TiB`;
}

function keyLife(stamp, now) {
  if (!stamp) return ["", ""];
  const left = (Date.parse(stamp) - now) / 1000;
  if (left <= 0) return ["key expired", "alarm"];
  return [`key ${duration(left)}`, left < 300 ? "warn" : ""];
}

// --- states -> one of five moods: good, busy, watch, bad, off

const ACCOUNT_MOODS = {
  live: "good", recovering: "busy", connecting: "busy", backing_off: "watch",
  suspended: "bad", stopped: "off",
};
const SINK_MOODS = { running: "good", retrying: "bad", paused: "watch", stopped: "off" };

function accountMood(account) {
  const mood = ACCOUNT_MOODS[account.state] ?? "off";
  return mood === "good" && account.gaps.open ? "watch" : mood;
}

// --- what an event says, in a line

const at = (price) => (price ? `@ ${price}` : "");

const DESCRIBE = {
  order: (o) => [
    [o.side ?? "", o.side],
    [[o.type, o.quantity ?? o.quote_quantity, at(o.price)].filter(Boolean).join(" ")],
    [o.trigger_price ? `trigger ${o.trigger_price}` : ""],
    [words(o.status)],
    // A filled order was filled with its quantity; of others it is news how far they came.
    [o.status !== "filled" && Number(o.filled_quantity) ? `${o.filled_quantity} filled` : ""],
  ],
  fill: (f) => [
    [f.side ?? "", f.side], [`${f.quantity} @ ${f.price}`], [f.liquidity ?? ""],
    [f.fee ? `fee ${f.fee} ${f.fee_currency ?? ""}` : ""],
  ],
  balance: (b) => [
    [`${b.available} available`], [Number(b.held) ? `${b.held} held` : ""], [b.reason ?? ""],
  ],
  position: (p) => [
    [p.side, { long: "buy", short: "sell" }[p.side]],
    [[p.quantity, at(p.entry_price)].filter(Boolean).join(" ")],
    [p.leverage ? `${p.leverage}x` : ""], [p.margin_mode ?? ""],
  ],
  stream: (s) => [
    [words(s.status)], [words(s.reason)],
    [s.recovered === null ? "" : `${plural(s.recovered, "event")} found`],
    [s.complete === false ? "something may be missing" : ""], [s.detail ?? ""],
  ],
  unrecognized: (u) => [[words(u.reason)], [u.frame.slice(0, 120)]],
};

const describe = (event) =>
  DESCRIBE[event.kind](event[event.kind]).filter(([text]) => text && text.trim());

// What it is about: a pair, a contract, an asset.
const subject = (event) => event.symbol ?? event.venue_symbol ?? event.balance?.asset ?? "";
