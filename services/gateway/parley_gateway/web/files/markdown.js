/**
 * The little Markdown that answers may use: **bold**, `code`, fenced code, lists, line breaks, [1] for a source.
 * Built as DOM nodes; everything else, HTML and links included, stays the text that it is.
 */
import { el } from "./elements.js";

const INLINE = /\*\*(?=\S)([\s\S]+?)\*\*|`([^`\n]+)`|\[(\d{1,2})\]/g;
const LAST_WORD = /(?:\p{Script=Han}|[^\s\p{Script=Han}]{1,24})$/u;
const FIRST_MARK = /^[.,;:!?)。，；：！？）]/;
const BULLET = /^\s{0,3}[-*•]\s+/;
const NUMBER = /^\s{0,3}\d{1,3}[.)、]\s+/;

/** Nodes for `text`; `cite(n)` answers the node of a reference, or null where there is no source n. */
export function markdown(text, cite = () => null) {
  const nodes = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; ) {
    const [node, next] = block(lines, at, cite);
    if (node) nodes.push(node);
    at = next;
  }
  return nodes;
}

function block(lines, at, cite) {
  if (lines[at].startsWith("```")) return fenced(lines, at);
  if (BULLET.test(lines[at])) return list("ul", BULLET, lines, at, cite);
  if (NUMBER.test(lines[at])) return list("ol", NUMBER, lines, at, cite);
  if (!lines[at].trim()) return [null, at + 1];
  return paragraph(lines, at, cite);
}

function fenced(lines, at) {
  let end = at + 1;
  while (end < lines.length && !lines[end].startsWith("```")) end++;
  return [el("pre", {}, el("code", {}, lines.slice(at + 1, end).join("\n"))), end + 1];
}

function list(tag, mark, lines, at, cite) {
  const node = el(tag, tag === "ol" ? { start: parseInt(lines[at], 10) } : {});
  for (; at < lines.length && mark.test(lines[at]); at++) {
    node.append(el("li", {}, ...inline(lines[at].replace(mark, ""), cite)));
  }
  return [node, at];
}

function paragraph(lines, at, cite) {
  const node = el("p");
  const starts = (line) => !line.trim() || line.startsWith("```") || BULLET.test(line) || NUMBER.test(line);
  do {
    if (node.firstChild) node.append(el("br"));
    node.append(...inline(lines[at++], cite));
  } while (at < lines.length && !starts(lines[at]));
  return [node, at];
}

function inline(text, cite) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, bold, code, number] = match;
    const before = text.slice(from, match.index);
    from = match.index + all.length;
    const reference = number && cite(Number(number));
    if (bold) nodes.push(before, el("strong", {}, ...inline(bold, cite)));
    else if (code) nodes.push(before, el("code", {}, code));
    else if (reference) from += refer(nodes, before, reference, text.slice(from));
    else nodes.push(before, all);
  }
  nodes.push(text.slice(from));
  return nodes.filter((node) => node !== "");
}

/** Keeps a reference on the line of the word before it and the punctuation after it; answers that one's length. */
function refer(nodes, before, reference, after) {
  const [word = ""] = before.trimEnd().match(LAST_WORD) ?? [];
  const [mark = ""] = after.match(FIRST_MARK) ?? [];
  nodes.push(before.trimEnd().slice(0, -word.length || undefined), el("span", { class: "joined" }, word, reference, mark));
  return mark.length;
}
