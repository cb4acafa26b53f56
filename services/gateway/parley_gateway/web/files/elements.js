/** Builds DOM without innerHTML, and keeps words exchangeable when the language changes. */
import { pieces, say } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

/** el("button", {class: "send", type: "button", onclick}, child, …); null and false are left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A 24-pixel line drawing; it says nothing, since its button has a label. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true", class: "icon" })) {
    svg.setAttribute(name, value);
  }
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export const ICONS = {
  attach: "M4 16.5 8.5 12l3.5 3.5 3-3 5 5M5 5h14v14H5zM14.5 9.5h.01",
  send: "M12 19V5m-6 6 6-6 6 6",
  stop: "M8 8h8v8H8zM11 11h2v2h-2z",
  close: "M6 6l12 12M18 6 6 18",
  down: "M12 5v14m-6-6 6 6 6-6",
  half: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
};

/** Give a node its words: text by default, or an attribute such as aria-label. */
export function word(node, key, facts = {}, attribute = "") {
  node.worded = { ...node.worded, [attribute]: [key, facts] };
  node.dataset.worded = "";
  fill(node, attribute, key, facts);
  return node;
}

/** Take a node's words away, or replace them by text that has no translation. */
export function plain(node, text = "") {
  if (node.worded) delete node.worded[""];
  node.textContent = text;
  return node;
}

/** Words that a function makes (times, sums): it is called again when the language changes. */
export function made(node, make) {
  return word(node, make);
}

/** Say everything again, in the language of now. */
export function reword(root = document) {
  for (const node of root.querySelectorAll("[data-worded]")) {
    for (const [attribute, [key, facts]] of Object.entries(node.worded ?? {})) fill(node, attribute, key, facts);
  }
}

function fill(node, attribute, key, facts) {
  if (typeof key === "function") node.textContent = key();
  else if (attribute) node.setAttribute(attribute, say(key, facts));
  else node.replaceChildren(...pieces(key, facts).map(({ text, title }) => (title ? tongue(el("cite", {}, text), text) : text)));
}

/** Chinese text is set in Chinese type and read by a Chinese voice, whatever the page speaks. */
export function tongue(node, text) {
  const han = /\p{Script=Han}/u.test(text) && !/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(text);
  if (han) node.lang = "zh-CN";
  else if (/[a-z]/i.test(text)) node.lang = "en";
  return node;
}
