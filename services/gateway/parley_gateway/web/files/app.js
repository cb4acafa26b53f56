/** Wires the visitor's page: the protocol on one side, the conversation on the other. */
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { el, reword, word } from "./elements.js";
import { wireHead } from "./head.js";
import { ParleyClient } from "./realtime/client.js";
import { Status } from "./status.js";
import { TraceDrawer } from "./trace.js";
import { speak, spoken } from "./words.js";

const $ = (selector) => document.querySelector(selector);
const CAUGHT_UP_MS = 3_000;
const KEYBOARD = matchMedia("(pointer: fine)").matches;
const READ_MS = 300;
const QUIET_MS = 600; // a connection that is back within this time was never worth a word

speak(document.documentElement.lang);

const client = new ParleyClient({ siteKey: $("meta[name=parley-site-key]").content, locale: spoken() });
const status = new Status($("#status"));
const drawer = new TraceDrawer($("#trace"), client);
const head = wireHead($("#head"));
const composer = new Composer($("#composer"), client, status, {
  send: (message) => client.send(message),
  typing: () => client.typing(),
  stop: () => client.stopReply(conversation.running),
});
const conversation = new Conversation($("#log"), $(".foot"), {
  openTrace: (id) => drawer.open(id),
  picture: (media) => composer.pictures.address(media),
  retry: (id) => client.retry(id),
  forget: (id) => client.discard(id),
  earlier: (before) => client.earlier(before),
  online: () => online,
  focus: () => composer.focus(),
});

let online = false;
let interrupted = false;
let quiet = 0;
let countdown = 0;
let lastSeq = 0;
let reading = 0;

const listeners = {
  phase: connectionChanged,
  reset: ({ first }) => {
    conversation.reset(first);
    showSession({ status: "open" });
    lastSeq = 0;
  },
  event: (event) => {
    conversation.apply(event);
    composer.running = conversation.running;
    if (event.session) showSession(event.session);
    lastSeq = event.seq;
    markRead();
  },
  draft: (draft) => {
    conversation.draft(draft);
    composer.running = true;
  },
  dropped: ({ message_id }) => {
    conversation.dropped(message_id);
    composer.running = conversation.running;
  },
  outgoing: (entry) => conversation.outgoing(entry),
  slow: countDown,
  typing: ({ sender }) => conversation.typing(sender),
};
for (const [type, listener] of Object.entries(listeners)) {
  client.addEventListener(type, ({ detail }) => listener(detail));
}

function connectionChanged({ phase, code }) {
  online = phase === "online" || phase === "catching_up";
  document.documentElement.dataset.phase = phase;
  clearTimeout(quiet);
  if (phase === "online") backOnline();
  else if (phase === "refused") refused(code);
  else if (phase === "offline") interruption("phase.offline");
  else quiet = setTimeout(() => interruption(`phase.${phase}`), QUIET_MS);
}

function interruption(key) {
  interrupted = key !== "phase.connecting";
  status.set("connection", key, { tone: "warn" });
}

function backOnline() {
  $("#ended").hidden = head.status !== "closed";
  status.clear("connection");
  if (interrupted) status.set("info", "phase.caught_up", { ms: CAUGHT_UP_MS });
  interrupted = false;
}

/** A refusal is final: say so and offer a new beginning, unless the conversation only moved elsewhere. */
function refused(code) {
  status.set("connection", code === 4004 ? "phase.replaced" : "phase.refused", { tone: "bad" });
  $("#ended").hidden = code === 4004;
}

function countDown({ until }) {
  clearInterval(countdown);
  const tick = () => {
    const seconds = Math.ceil((until - Date.now()) / 1000);
    if (seconds > 0) return status.set("slow", "slow", { facts: { seconds }, tone: "warn" });
    clearInterval(countdown);
    status.clear("slow");
  };
  tick();
  countdown = setInterval(tick, 250);
}

function showSession(session) {
  head.show(session);
  showEnd(session.status === "closed");
  const name = session.agent?.name;
  if (session.status === "waiting") status.set("hint", "composer.waiting");
  else if (session.status === "assigned" && name) status.set("hint", "composer.person", { facts: { name } });
  else if (session.status === "closed") status.clear("hint");
  else hint();
}

/** How to send, for those who have a keyboard. */
function hint() {
  if (KEYBOARD) status.set("hint", "composer.hint");
  else status.clear("hint");
}

/** A closed conversation offers a new one where the field was; the focus moves along. */
function showEnd(closed) {
  const focused = $(".foot").contains(document.activeElement);
  $("#ended").hidden = !closed;
  $("#composer").hidden = closed;
  if (focused && closed) $("#ended button").focus();
  else if (focused) composer.focus();
}

/** Once for many events: a history of a hundred is read at once. */
function markRead() {
  clearTimeout(reading);
  reading = setTimeout(() => document.hidden || client.read(lastSeq), READ_MS);
}

function fillWords() {
  for (const node of document.querySelectorAll("[data-word]")) word(node, node.dataset.word);
  for (const node of document.querySelectorAll("[data-word-label]")) {
    word(node, node.dataset.wordLabel, {}, "aria-label");
  }
  const again = el("button", { class: "plain", type: "button", onclick: () => client.startAgain() });
  $("#ended").append(word(again, "closed.again"));
}

head.onlanguage = (tag) => {
  speak(tag);
  client.locale = tag;
  reword();
};
document.addEventListener("visibilitychange", markRead);
fillWords();
hint();
client.start();
if (KEYBOARD) composer.focus();
