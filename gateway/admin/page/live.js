// Keeping the page true: the status every two seconds, events as they come, and
// saying so when neither can be had.

const STATUS_MS = 2000;
const GAPS_MS = 20000;
const LOST_MS = 7000;
const SHOWN = 200;
const LOOK_BACK = { all: 60, filtered: 5000 };

const page = {
  status: null, gaps: [], rates: [], heardAt: 0, clockOffset: 0, before: null,
  stream: null, streamOpen: false, streamBegan: false, lastSeq: 0, paused: false, waiting: [], open: new Set(),
};

const now = () => Date.now() + page.clockOffset;

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(5000), headers: { accept: "application/json" } });
  if (answer.status === 401) location.assign("/login");
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  const offset = Date.parse(answer.headers.get("date")) - Date.now();
  // The header has whole seconds; less than that is no difference of clocks.
  page.clockOffset = Math.abs(offset) > 2000 ? offset : 0;
  return answer.json();
}

async function refresh() {
  try {
    const status = await ask("/api/v1/status");
    measure(status);
    page.status = status;
    page.heardAt = Date.now();
    if (!page.stream) follow();
    show();
  } catch {
    // Said by the banner, which counts how long it has been.
  }
  showConnection();
  setTimeout(refresh, STATUS_MS);
}

function measure(status) {
  const at = performance.now();
  if (page.before) {
    const seconds = (at - page.before.at) / 1000;
    page.rates.push(Math.max(0, status.journal.last_seq - page.before.seq) / seconds);
    page.rates = page.rates.slice(-120);
  }
  page.before = { at, seq: status.journal.last_seq };
}

async function refreshGaps() {
  try {
    const told = await ask("/api/v1/gaps");
    page.gaps = told.gaps;
    byId("gaps-note").textContent = told.whole ? "" : "(older ones are not shown)";
    showDays();
  } catch {
    // The next round tries again.
  }
}

async function refreshHoldings(name) {
  try {
    const view = await ask(`/api/v1/accounts/${name}`);
    const holdings = byId(`holdings-${name}`);
    if (holdings) showHoldings(holdings, view);
  } catch {
    // As above.
  }
}

function show() {
  const { status } = page;
  const accounts = Object.entries(status.accounts);
  keep(byId("accounts"), accounts,
    (name, account) => createAccount(name, account, toggleHoldings),
    (article, name, account) => showAccount(article, name, account, now()));
  keep(byId("sinks"), Object.entries(status.sinks), createSink,
    (card, name, sink) => showSink(card, name, sink, now()));
  showCluster(status.cluster, status.gateway.name);
  showJournal(status.journal, page.rates.at(-1) ?? 0);
  showRate(page.rates);
  showDays();
  showVerdict(accounts.map(([, account]) => account), Object.values(status.sinks));
  offerAccounts(accounts.map(([name]) => name));
}

function showVerdict(accounts, sinks) {
  const { gateway, journal } = page.status;
  const wanted = accounts.filter((account) => account.state !== "stopped");
  const live = wanted.filter((account) => ["live", "recovering"].includes(account.state));
  const whole = live.filter((account) => !account.gaps.open);
  const failing = sinks.filter((sink) => ["retrying", "paused"].includes(sink.state));
  const parts = [`${live.length} of ${plural(wanted.length, "account")} live`];
  parts.push(failing.length ? `${failing.length} of ${plural(sinks.length, "sink")} not delivering` : plural(sinks.length, "sink"));
  if (journal.blocked) parts.unshift("journal blocked");
  else if (!gateway.ready) parts.unshift("not ready");
  const good = gateway.ready && !journal.blocked && !failing.length && whole.length === wanted.length;
  byId("verdict").className = good ? "verdict" : "verdict bad";
  setText(document, "#verdict", parts.join(", "));
  setText(document, "#name", gateway.name);
  setText(document, "#about", `up ${age(gateway.started, now())} · ${gateway.version}`);
  setMood(good ? "good" : "bad", `${live.length}/${wanted.length} live · ${gateway.name}`);
}

function setMood(mood, title) {
  byId("mood").className = `dot ${mood}`;
  document.title = title;
  const colour = getComputedStyle(byId("mood")).backgroundColor;
  const circle = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="${colour}"/></svg>`;
  const href = `data:image/svg+xml,${encodeURIComponent(circle)}`;
  if (byId("icon").href !== href) byId("icon").href = href;
}

function showDays() {
  for (const article of byId("accounts").children) showDay(article, article.dataset.key, page.gaps, now());
}

function toggleHoldings(name, isOpen) {
  if (isOpen) page.open.add(name);
  else page.open.delete(name);
  if (isOpen) refreshHoldings(name);
}

function offerAccounts(names) {
  const select = byId("filter-account");
  const known = new Set([...select.options].map((option) => option.value));
  for (const name of names) if (!known.has(name)) select.append(new Option(name, name));
}

// --- connection

function showConnection() {
  const quiet = Date.now() - page.heardAt;
  const lost = page.heardAt > 0 && (quiet > LOST_MS || (page.streamBegan && !page.streamOpen));
  document.body.classList.toggle("lost", lost);
  const banner = byId("banner");
  banner.hidden = !lost;
  if (!lost) return;
  const when = new Date(page.heardAt).toLocaleTimeString("en-GB");
  banner.textContent = `Connection lost. This is what was known at ${when}, ${duration(quiet / 1000)} ago. Trying again …`;
  setMood("off", `lost · ${page.status.gateway.name}`);
}

// --- events

function follow() {
  page.stream?.close();
  const query = new URLSearchParams();
  const account = byId("filter-account").value;
  const kind = byId("filter-kind").value;
  if (account) query.set("account", account);
  if (kind) query.set("kind", kind);
  const back = account || kind ? LOOK_BACK.filtered : LOOK_BACK.all;
  const { first_seq, last_seq } = page.status.journal;
  query.set("since_seq", page.lastSeq || Math.max(first_seq - 1, last_seq - back));
  page.stream = new EventSource(`/events?${query}`);
  page.stream.addEventListener("open", () => { page.streamOpen = page.streamBegan = true; showConnection(); });
  page.stream.addEventListener("error", streamFailed);
  page.stream.addEventListener("truncated", (message) => {
    const { first_seq } = JSON.parse(message.data);
    page.lastSeq = first_seq - 1;
    addRow(element("li", "note", `Events before #${count(first_seq)} are no longer in the journal.`));
  });
  for (const kind of Object.keys(DESCRIBE)) page.stream.addEventListener(kind, hearEvent);
}

function streamFailed() {
  page.streamOpen = false;
  showConnection();
  // The browser reconnects by itself, with the last id, unless it was refused outright.
  if (page.stream.readyState === EventSource.CLOSED) page.stream = null;
}

function hearEvent(message) {
  const event = JSON.parse(message.data);
  page.lastSeq = event.seq;
  if (page.paused) {
    page.waiting.push(event);
    page.waiting = page.waiting.slice(-SHOWN);
    byId("pause").textContent = `Go on (${page.waiting.length})`;
  } else {
    addEvent(event);
  }
  if (event.kind === "stream") soon("gaps", refreshGaps);
  else if (page.open.has(event.account)) soon(event.account, () => refreshHoldings(event.account));
}

const planned = new Set();
function soon(key, act) {
  if (planned.has(key)) return;
  planned.add(key);
  setTimeout(() => { planned.delete(key); act(); }, 1000);
}

function addEvent(event) {
  const row = eventRow(event);
  row.dataset.text = JSON.stringify(event).toLowerCase();
  row.hidden = !matches(row);
  if (Date.now() + page.clockOffset - Date.parse(event.received_time) < 5000) row.classList.add("fresh");
  addRow(row);
}

function addRow(row) {
  const list = byId("event-list");
  const reading = list.scrollTop > 4;
  const before = list.scrollHeight;
  list.prepend(row);
  while (list.childElementCount > SHOWN) list.lastElementChild.remove();
  // Somebody who has scrolled down is reading: leave the lines where they are.
  if (reading) list.scrollTop += list.scrollHeight - before;
  byId("no-events").hidden = true;
}

const matches = (row) => (row.dataset.text ?? "").includes(byId("filter-text").value.trim().toLowerCase());

function refilter() {
  page.lastSeq = 0;
  page.waiting = [];
  byId("event-list").replaceChildren();
  byId("no-events").hidden = false;
  byId("no-events").textContent = "No such events lately.";
  if (page.status) follow();
}

function togglePause() {
  page.paused = !page.paused;
  byId("pause").setAttribute("aria-pressed", String(page.paused));
  byId("pause").textContent = page.paused ? "Go on" : "Pause";
  if (!page.paused) page.waiting.splice(0).forEach(addEvent);
}

// --- theme and keys

function toggleTheme() {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = ["INPUT", "SELECT"].includes(event.target.tagName);
  if (event.key === "Escape" && typing) event.target.blur();
  if (typing) return;
  const act = { "/": () => byId("filter-text").focus(), p: togglePause, t: toggleTheme }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

if (localStorage.getItem("theme")) document.documentElement.dataset.theme = localStorage.getItem("theme");
byId("theme").addEventListener("click", toggleTheme);
byId("pause").addEventListener("click", togglePause);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filter-account").addEventListener("change", refilter);
byId("filter-kind").addEventListener("change", refilter);
byId("filter-text").addEventListener("input", () => {
  for (const row of byId("event-list").children) row.hidden = !matches(row);
});
document.addEventListener("keydown", pressed);
setInterval(showConnection, 1000);
setInterval(() => page.status && document.visibilityState === "visible" && !document.body.classList.contains("lost") && show(), 1000);
setInterval(refreshGaps, GAPS_MS);
refresh();
refreshGaps();
