/** The sources of an answer: cards under the bubble that open in place, and the numbers that point to them. */
import { el, tongue, word } from "./elements.js";

/** The list of cards; null when the answer names no source. */
export function sourceCards(sources, message_id) {
  if (!sources.length) return null;
  const list = el("ol", { class: "sources", role: "list" }, ...sources.map((source, i) => card(source, i + 1, message_id)));
  return word(list, "sources.label", {}, "aria-label");
}

/** A number in the text that opens its card. Without such a source it stays text. */
export function citation(sources, message_id) {
  return (n) => {
    if (n < 1 || n > sources.length) return null;
    const link = el("button", { class: "cite", type: "button", onclick: () => open(message_id, n) }, String(n));
    return word(link, "sources.cite", { n }, "aria-label");
  };
}

const cardId = (message_id, n) => `source-${message_id}-${n}`;

function card(source, n, message_id) {
  const { title = "", place = "", passage = "", version = 0 } = source;
  const head = el("summary", {}, el("span", { class: "number" }, String(n)), heading(title, place, version));
  const sentence = el("blockquote", {}, passage);
  const details = el("details", { id: cardId(message_id, n) }, head, tongue(sentence, passage), link(source.uri));
  return el("li", {}, details);
}

function heading(title, place, version) {
  const where = el("span", { class: "place" });
  if (place) where.textContent = place;
  else if (version) word(where, "sources.version", { version });
  return el("span", { class: "heading" }, el("cite", {}, title), where);
}

/** Only addresses of the web become links: the text of a source is as untrusted as any. */
function link(uri) {
  if (!/^https?:\/\//.test(uri ?? "")) return null;
  const anchor = el("a", { href: uri, target: "_blank", rel: "noopener noreferrer" });
  return word(anchor, "sources.open");
}

function open(message_id, n) {
  const details = document.getElementById(cardId(message_id, n));
  details.open = true;
  details.querySelector("summary").focus();
  details.scrollIntoView({ block: "nearest" });
}
