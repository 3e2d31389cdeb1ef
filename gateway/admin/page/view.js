// What is on the page: each function shows a part of the gateway's state.

const byId = (id) => document.getElementById(id);

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

function drawing(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Keeps one element per key, in order, so that focus and open details survive a refresh.
function keep(parent, entries, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  for (const [key, value] of entries) {
    let child = known.get(key);
    if (!child) {
      child = create(key, value);
      child.dataset.key = key;
      parent.append(child);
    }
    known.delete(key);
    update(child, key, value);
  }
  for (const gone of known.values()) gone.remove();
}

function setText(parent, selector, text, className) {
  const target = parent.querySelector(selector);
  if (target.textContent !== text) target.textContent = text;
  if (className !== undefined) target.className = className;
}

// --- accounts

function createAccount(name, account, onOpen) {
  const head = element("button", "account-head",
    element("span", "dot"),
    element("span", "name", name, " ", element("span", "soft", account.venue)),
    element("span", "since", element("span", "state"), element("span", "soft for")),
    element("span", "cell heard"), element("span", "cell right life"),
    element("span", "cell count"), element("span", "turn", "›"));
  head.setAttribute("aria-expanded", "false");
  head.setAttribute("aria-controls", `holdings-${name}`);
  const day = drawing("svg", { class: "day", viewBox: "0 0 1440 8", preserveAspectRatio: "none", role: "img" });
  const holdings = element("div", "holdings");
  holdings.id = `holdings-${name}`;
  holdings.hidden = true;
  head.addEventListener("click", () => {
    holdings.hidden = !holdings.hidden;
    head.setAttribute("aria-expanded", String(!holdings.hidden));
    onOpen(name, !holdings.hidden);
  });
  const trouble = element("p", "trouble");
  return element("article", "account", head, day, trouble, holdings);
}

function showAccount(article, name, account, now) {
  const mood = accountMood(account);
  article.firstChild.className = `account-head ${mood}`;
  setText(article, ".state", words(account.state));
  setText(article, ".for", ` for ${age(account.since, now)}`);
  setText(article, ".heard", `heard ${ago(account.last_proof_of_life, now)}`);
  const [life, urgency] = keyLife(account.key_expires, now);
  setText(article, ".life", life, `cell right life ${urgency || "soft"}`);
  const gaps = account.gaps.unrecovered ? `, ${account.gaps.unrecovered} unproven` : "";
  setText(article, ".count",
    `${plural(account.events, "event")}, ${plural(account.gaps.total, "gap")}${gaps}`, "cell count soft");
  const trouble = article.querySelector(".trouble");
  trouble.textContent = mood === "good" ? "" : account.detail ?? "";
  trouble.hidden = !trouble.textContent;
}

function showDay(article, name, gaps, now) {
  const begin = now - DAY_MS;
  const spans = gaps.filter((gap) => gap.account === name);
  const minutes = (stamp) => Math.max(0, (Date.parse(stamp) - begin) / 60000);
  const day = article.querySelector(".day");
  // Drawn anew once a minute or when something changed, so that a tooltip can be read.
  const shown = `${Math.floor(now / 60000)} ${JSON.stringify(spans)}`;
  if (day.dataset.shown === shown) return;
  day.dataset.shown = shown;
  day.setAttribute("aria-label", `${plural(spans.length, "gap")} in the last 24 hours`);
  day.replaceChildren(...spans.map((gap) => {
    const from = minutes(gap.since);
    const until = gap.until ? minutes(gap.until) : 1440;
    const kind = gap.until === null ? "open" : gap.complete ? "filled" : "partial";
    // A gap of seconds must still be seen: it gets five minutes of the day at least.
    const width = Math.max(5, until - from);
    const rect = drawing("rect", { class: kind, x: Math.min(from, 1440 - width), y: 0, width, height: 8 });
    const title = drawing("title", {});
    title.textContent = describeGap(gap);
    rect.append(title);
    return rect;
  }));
}

function describeGap(gap) {
  const from = new Date(gap.since).toLocaleTimeString();
  const why = words(gap.reason);
  if (!gap.until) return `open since ${from}: ${why}`;
  const lasted = duration((Date.parse(gap.until) - Date.parse(gap.since)) / 1000);
  const outcome = gap.complete ? "all found" : "something may be missing";
  return `${from}, ${lasted}: ${why}; ${plural(gap.recovered ?? 0, "event")} recovered, ${outcome}`;
}

function showHoldings(holdings, view) {
  holdings.replaceChildren(
    table("Balances", ["asset", "+available", "+held", "+total"],
      view.balances.map((b) => [b.asset, b.available, b.held, b.total])),
    table("Positions", ["contract", "side", "+quantity", "+entry", "+liquidation"],
      view.positions.map(({ symbol, venue_symbol, position: p }) =>
        [symbol ?? venue_symbol, p.side, p.quantity, p.entry_price, p.liquidation_price])),
    table("Open orders", ["symbol", "side", "type", "+quantity", "+price", "+filled", "status"],
      view.open_orders.map(({ symbol, venue_symbol, order: o }) =>
        [symbol ?? venue_symbol, o.side, o.type, o.quantity ?? o.quote_quantity, o.price,
          o.filled_quantity, words(o.status)])));
}

function table(title, columns, rows) {
  const block = element("div", "", element("h3", "", title));
  if (!rows.length) {
    block.append(element("p", "soft", "none"));
    return block;
  }
  const kinds = columns.map((name) => (name.startsWith("+") ? "number" : ""));
  const cells = (row, tag) => row.map((value, at) => element(tag, kinds[at], value ?? "–"));
  const head = element("tr", "", ...cells(columns.map((name) => name.replace("+", "")), "th"));
  const body = rows.map((row) => element("tr", "", ...cells(row, "td")));
  block.append(element("div", "scroll",
    element("table", "", element("thead", "", head), element("tbody", "", ...body))));
  return block;
}

// --- cluster

function showCluster(cluster, me) {
  byId("cluster").hidden = !cluster;
  if (!cluster) return;
  const state = (one) => (one.leaving ? "leaving" : one.drained ? "drained" : "takes accounts");
  const gateways = Object.entries(cluster.members).map(([name, one]) =>
    [name === me ? `${name} (this)` : name, count(one.accounts), state(one)]);
  const owners = Object.entries(cluster.accounts).map(([name, one]) =>
    [name, one.alive ? one.owner : `${one.owner} (gone)`, one.successor]);
  const trouble = element("p", "error", "the engine does not answer: this is as it was last seen");
  trouble.hidden = cluster.reachable;
  byId("gateways").replaceChildren(trouble,
    table("Gateways", ["name", "+accounts", "state"], gateways),
    table("Owners", ["account", "owner", "moves to"], owners));
}

// --- sinks and journal

function createSink(name) {
  return element("article", "card",
    element("div", "sink-head", element("span", "dot"), element("span", "name", name),
      element("span", "soft type"), element("span", "state")),
    element("p", "counts soft"), element("p", "error"));
}

function showSink(card, _name, sink, now) {
  card.firstChild.className = `sink-head ${SINK_MOODS[sink.state] ?? "off"}`;
  const wait = sink.retry_at ? (Date.parse(sink.retry_at) - now) / 1000 : 0;
  setText(card, ".type", sink.type);
  setText(card, ".state", wait > 0 ? `${sink.state} in ${duration(wait)}` : sink.state);
  const figures = [
    ["waiting", sink.pending, sink.state === "running" ? "" : "warn"], ["delivered", sink.delivered, ""],
    ["filtered", sink.filtered, ""], ["dropped", sink.dropped, "alarm"],
    ["dead letters", sink.dead_letters, "alarm"],
  ];
  const shown = figures.filter(([label, number]) => number || ["waiting", "delivered"].includes(label));
  card.querySelector(".counts").replaceChildren(...shown.map(([label, number, mood]) =>
    element("span", number ? mood : "", element("b", "", count(number)), ` ${label}`)));
  const error = card.querySelector(".error");
  error.textContent = sink.state === "running" ? "" : sink.last_error ?? "";
  error.hidden = !error.textContent;
}

function showJournal(journal, rate) {
  const facts = [
    ["Events per second", rate.toFixed(1)],
    ["Newest event", `#${count(journal.last_seq)}`],
    ["Kept from", `#${count(journal.first_seq)}`],
    ["Size", size(journal.bytes)],
    ["Disk free", size(journal.free_bytes)],
    ["Writing", journal.blocked ? words(journal.blocked_reason ?? "blocked") : "yes"],
  ];
  byId("journal").replaceChildren(...facts.flatMap(([label, value]) => {
    const alarm = label === "Writing" && journal.blocked;
    return [element("dt", "", label), element("dd", alarm ? "alarm" : "", value)];
  }));
}

function showRate(rates) {
  const top = Math.max(1, ...rates);
  const points = rates.map((rate, at) => `${at + 120 - rates.length} ${31 - (30 * rate) / top}`);
  byId("rate").firstElementChild.setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
}

// --- events

function eventRow(event) {
  const stamp = element("time", "", new Date(event.received_time).toLocaleTimeString("en-GB", { hour12: false }));
  stamp.dateTime = event.received_time;
  stamp.title = event.received_time;
  const said = element("span", "what", ...describe(event).flatMap(([text, mood], at) =>
    [at ? " · " : "", mood ? element("b", mood, text) : text]));
  const details = element("details", event.kind, element("summary", "", stamp,
    element("span", "where", event.account), element("span", "kind", event.kind),
    element("span", "symbol", subject(event)), said));
  details.addEventListener("toggle", () => {
    if (details.childElementCount === 1) details.append(element("pre", "", JSON.stringify(event, null, 2)));
  }, { once: true });
  return element("li", "", details);
}
