// The chat page: shows what comes over the socket, sends what is typed. What people say is put in as text,
// never as HTML.

import { dress } from "./faces.js";
import { Log } from "./log.js";
import { Reconnecting } from "./reconnect.js";

const { room, username } = document.body.dataset;
const byID = (id) => document.getElementById(id);
const text = byID("text");
const log = new Log(byID("log"), username);

const url = new URL(`/ws/chat/${room}/`, location.href);
url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
const socket = new Reconnecting(url, loggedIn);

// loggedIn asks whether the session still is somebody's.
async function loggedIn() {
  const answer = await fetch("/session/", { cache: "no-store", signal: AbortSignal.timeout(10000) });
  return (await answer.json()).authenticated;
}

// ---- the state of the connection

let countdown = 0;

function showState(state, words) {
  clearInterval(countdown);
  document.body.dataset.state = byID("state").dataset.state = state;
  byID("state-text").textContent = words;
  byID("send").disabled = state !== "open";
  byID("drop").disabled = state !== "open";
  if (state === "open") byID("lost").hidden = true;
}

function showLost(what, ended) {
  byID("lost-what").textContent = what;
  byID("lost-next").textContent = "";
  byID("retry").hidden = ended;
  byID("again").hidden = !ended;
  byID("lost").hidden = false;
}

socket.addEventListener("connecting", () => {
  showState("connecting", byID("lost").hidden ? "Connecting…" : "Reconnecting…");
  byID("lost-next").textContent = byID("lost").hidden ? "" : "Trying now…";
});
socket.addEventListener("open", () => showState("open", "Connected"));
socket.addEventListener("waiting", ({ detail }) => {
  showState("waiting", "Reconnecting…");
  showLost("Connection lost.", false);
  const tick = () => {
    const seconds = Math.max(1, Math.ceil((detail.until - Date.now()) / 1000));
    byID("lost-next").textContent = `Next try in ${seconds} s.`;
  };
  tick();
  countdown = setInterval(tick, 250);
});
socket.addEventListener("ended", ({ detail }) => {
  showState("ended", "Logged out");
  showLost("You are logged out.", true);
  if (detail.reason) byID("lost-next").textContent = `The server closed this socket: ${detail.reason}.`;
  byID("here").replaceChildren();
  byID("facts").replaceChildren(fact(["Nothing any more", "Your session has ended."]));
});

byID("retry").addEventListener("click", () => socket.retry());
byID("drop").addEventListener("click", () => socket.drop());

// ---- what the server says

let people = null; // the last presence

socket.addEventListener("message", ({ detail }) => {
  const { welcome, message, presence, refusal } = JSON.parse(detail.data);
  if (welcome) {
    people = null;
    log.fill(welcome.history);
    showPresence(welcome.presence);
    showFacts(welcome.you);
  }
  if (message) log.add(message);
  if (presence) showPresence(presence);
  if (refusal) takeBack(refusal);
});

function showPresence(presence) {
  if (people && presence.revision <= people.revision) return; // overtaken by a newer one
  if (people) {
    const before = new Set(people.here.map((v) => v.name));
    const now = new Set(presence.here.map((v) => v.name));
    for (const name of now) if (!before.has(name)) log.note(`${name} came in`);
    for (const name of before) if (!now.has(name)) log.note(`${name} left`);
  }
  people = presence;
  byID("here").replaceChildren(...presence.here.map(visitor));
}

function visitor({ name, tabs }) {
  const item = document.createElement("li");
  const face = document.createElement("span");
  dress(face, name);
  face.ariaHidden = "true";
  const label = document.createElement("span");
  label.textContent = name === username ? `${name} (you)` : name;
  item.append(face, label);
  if (tabs > 1) {
    const count = document.createElement("small");
    count.textContent = `${tabs} tabs`;
    item.append(count);
  }
  return item;
}

// ---- what Belleville knows

function showFacts(you) {
  const moment = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });
  const facts = [
    ["User", `${you.username}, id ${you.user_id}`],
    ["Full name", you.name],
    ["Backend", you.backend, "code"],
    ["Session cookie", you.cookie, "code"],
    ["Session ends", moment.format(you.expires)],
    ["Channel name", you.channel, "code"],
    ["Groups", you.groups, "code"],
    ["Connected since", new Date(you.since).toLocaleTimeString()],
    ["From address", you.address, "code"],
  ];
  byID("facts").replaceChildren(...facts.filter(([, value]) => value).map(fact));
}

function fact([name, value, element = "span"]) {
  const row = document.createElement("div");
  const term = document.createElement("dt");
  term.textContent = name;
  row.append(term);
  for (const one of [value].flat()) {
    const definition = document.createElement("dd");
    const inner = document.createElement(element);
    inner.append(...breakable(one));
    definition.append(inner);
    row.append(definition);
  }
  return row;
}

// breakable lets a long dotted name break behind a dot.
function breakable(name) {
  return name.split(/(?<=\.)/).flatMap((part, i) => (i ? [document.createElement("wbr"), part] : [part]));
}

// ---- what is typed

function say() {
  const words = text.value.trim();
  if (!words) return;
  if (!socket.send(JSON.stringify({ text: words }))) {
    byID("say-note").textContent = "Not sent: there is no connection. Your text stays here.";
    return;
  }
  byID("say-note").textContent = "";
  text.value = "";
  fit();
}

// takeBack puts a message that the server did not pass on back into the field, before what was typed since.
function takeBack({ reason, text: words }) {
  byID("say-note").textContent = reason;
  text.value = text.value ? `${words}\n${text.value}` : words;
  fit();
}

// fit makes the field as high as its text; CSS bounds it.
function fit() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + text.offsetHeight - text.clientHeight}px`;
}

byID("say").addEventListener("submit", (e) => {
  e.preventDefault();
  say();
  text.focus();
});
text.addEventListener("input", fit);
text.addEventListener("keydown", (e) => {
  if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
  e.preventDefault();
  say();
});

dress(byID("my-face"), username);
const wide = matchMedia("(min-width: 64rem)"); // there the panel stands beside the chat and may be open
const foldPanel = () => (byID("knows-details").open = wide.matches);
wide.addEventListener("change", foldPanel);
foldPanel();
socket.connect();
