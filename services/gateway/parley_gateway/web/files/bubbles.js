/** One message as the visitor sees it. Who speaks is told by shape and by words, never by colour alone. */
import { el, made, tongue, word } from "./elements.js";
import { markdown } from "./markdown.js";
import { citation, sourceCards } from "./sources.js";
import { say, sayTime } from "./words.js";

const FINISHES = ["cancelled", "length", "deadline", "error"];
const SIDES = { visitor: "visitor", agent: "person", engine: "machine" };
const PICTURE = { width: 320, height: 360 }; // pixels, at most

/** A stored message. `desk` has openTrace(id) and picture(media) -> address. */
export function storedBubble(message, at, desk) {
  const kind = message.sender?.kind || "engine";
  const { message_id, sources = [], trace_id } = message;
  const body = content(message, (n) => citation(sources, message_id)(n), desk);
  const facts = [origin(kind, message), finish(message.finish_reason), when(at), traceLink(trace_id, desk)];
  return article(kind, message.sender?.name, body, meta(...facts), sourceCards(sources, message_id));
}

/** A message of ours on its way; `desk` has retry(id) and discard(id) as well. */
export function outgoingBubble(entry, desk, online) {
  const body = content(entry, () => null, desk);
  const node = article("visitor", "", body, meta(...progress(entry, desk, online)));
  node.dataset.state = entry.state;
  return node;
}

/** The preview of a reply. Its last line is kept free for the badge, so that the end moves nothing. */
export function draftBubble(draft) {
  const node = article("engine", "", el("div", { class: "bubble" }), meta());
  node.classList.add("draft");
  redraft(node, draft);
  return node;
}

export function redraft(node, { text }) {
  const body = node.querySelector(".bubble");
  body.replaceChildren(...markdown(text, (n) => el("span", { class: "cite" }, String(n))));
  tongue(body, text);
  (lastLine(body) ?? body).append(el("span", { class: "caret" }));
}

/** A line of the conversation itself: somebody joined, somebody waits. */
export function note(key, facts = {}, tone = "") {
  return el("p", { class: `note ${tone}` }, word(el("span"), key, facts));
}

/** A system message: a notice in our words when we know its code, else the text that came. */
export function notice(message, at, desk) {
  const key = `notice.${message.notice}`;
  const text = el("span", {}, message.text ?? "");
  if (say(key) !== null) word(text, key);
  return el("div", { class: "note notice" }, text, meta(when(at), traceLink(message.trace_id, desk)));
}

function article(kind, name, ...parts) {
  return el("article", { class: `message ${SIDES[kind] ?? "machine"}` }, who(kind, name), ...parts);
}

function who(kind, name) {
  const label = el("span");
  if (kind === "agent") word(label, name ? "sender.agent" : "sender.person", { name });
  else word(label, `sender.${kind}`);
  return el("p", { class: "who" }, face(kind, name), label);
}

/** A round face for a person, with the family name or initials; a square one for the machine. */
function face(kind, name) {
  if (kind === "visitor") return null;
  return el("span", { class: "face", "aria-hidden": "true" }, kind === "agent" ? initials(name) : "P");
}

function initials(name = "") {
  if (/\p{Script=Han}/u.test(name)) return [...name][0];
  const words = name.split(/\s+/).filter(Boolean);
  return words.slice(0, 2).map(([first]) => first.toUpperCase()).join("") || "·";
}

function content({ text = "", media = [] }, cite, desk) {
  const pictures = media.map((item) => picture(item, desk));
  return tongue(el("div", { class: "bubble" }, ...pictures, ...markdown(text, cite)), text);
}

/** A picture that takes its place before it arrives. */
function picture(media, desk) {
  const { name } = media;
  const [width, height] = [media.width || PICTURE.width, media.height || PICTURE.width];
  const scale = Math.min(1, PICTURE.width / width, PICTURE.height / height);
  const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
  const image = el("img", { ...size, alt: name || say("picture.alt") });
  const frame = el("a", { class: "picture", target: "_blank" }, image);
  frame.style.width = `${size.width}px`;
  frame.style.aspectRatio = `${width} / ${height}`;
  desk.picture(media).then(
    (address) => (frame.href = image.src = address),
    () => frame.replaceChildren(word(el("span"), "picture.missing")),
  );
  return frame;
}

function meta(...facts) {
  return el("p", { class: "meta" }, ...facts);
}

function origin(kind, message) {
  const badge = el("span", { class: "origin" });
  if (kind === "visitor") return word(badge, "sending.stored");
  if (kind === "agent") return null; // the head of the bubble names the person
  const [key, facts] = originWords(message);
  badge.classList.add(message.origin);
  return word(badge, key, facts);
}

/** "Quoted from Returns, v3", "AI-generated · from 2 sources", … */
function originWords({ origin = "", sources = [], ai_generated }) {
  const [{ title, version } = {}] = sources;
  if (origin === "extractive") {
    return title ? ["origin.extractive", { title, version: version || 1 }] : ["origin.extractive.plain", {}];
  }
  if (origin === "cache" || origin === "rule" || origin === "system") return [`origin.${origin}`, {}];
  if (!ai_generated && !origin.includes("llm")) return ["origin.rule", {}];
  return sources.length ? ["origin.llm.sources", { count: sources.length }] : ["origin.llm", {}];
}

function finish(reason) {
  return FINISHES.includes(reason) ? word(el("span", { class: "finish" }), `finish.${reason}`) : null;
}

function when(at) {
  const date = new Date(at);
  return made(el("time", { datetime: date.toISOString() }), () => sayTime(date));
}

function traceLink(trace_id, desk) {
  if (!trace_id) return null;
  const button = el("button", { class: "quiet trace-link", type: "button", onclick: () => desk.openTrace(trace_id) });
  word(button, "trace.label", {}, "aria-label");
  return word(button, "trace.open");
}

function progress(entry, desk, online) {
  if (entry.state === "failed") return failure(entry, desk);
  const key = entry.state === "queued" && !online ? "sending.offline" : `sending.${entry.state}`;
  return [word(el("span", { class: "origin" }), key)];
}

function failure({ client_msg_id, reason = {} }, desk) {
  const key = say(`failed.${reason.code}`) === null ? "failed.other" : `failed.${reason.code}`;
  const facts = { message: reason.message || reason.code };
  const button = (words, act) =>
    word(el("button", { class: "quiet", type: "button", onclick: () => act(client_msg_id) }), words);
  const why = word(el("span", { class: "bad", role: "alert" }), key, facts);
  return [why, button("sending.retry", desk.retry), button("sending.discard", desk.discard)];
}

/** Where a caret stands: the innermost end of the text, but never inside code or a number. */
function lastLine(body) {
  const last = body.lastElementChild;
  if (!last || last.matches("p")) return last;
  return last.matches("ul, ol") ? last.lastElementChild : last.querySelector("code");
}
