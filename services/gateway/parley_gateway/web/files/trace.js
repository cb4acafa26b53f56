/** The trace of a message: a drawer with every step on one time axis, waits hatched, a plain sentence on top. */
import { el, icon, ICONS, made, word } from "./elements.js";
import { say } from "./words.js";

const MILLION = 1e6; // nanoseconds in a millisecond

export class TraceDrawer {
  #dialog;
  #client;
  #body = el("div", { class: "trace-body" });

  constructor(dialog, client) {
    this.#dialog = dialog;
    this.#client = client;
    const title = word(el("h2", { id: "trace-title" }), "trace.label");
    const close = el("button", { class: "tool", type: "button", onclick: () => dialog.close() }, icon(ICONS.close));
    word(close, "trace.close", {}, "aria-label");
    dialog.append(el("header", {}, title, close), this.#body);
    // A click on the backdrop is a click on the dialog itself.
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  open(trace_id) {
    if (!this.#dialog.open) this.#dialog.showModal();
    return this.#read(trace_id);
  }

  async #read(trace_id) {
    this.#body.replaceChildren(word(el("p", { role: "status" }), "trace.loading"));
    try {
      const { spans = [] } = await this.#client.trace(trace_id);
      if (spans.length) this.#body.replaceChildren(...drawing(trace_id, spans));
      else this.#say("trace.none", trace_id);
    } catch (error) {
      if (error.status === 401 || error.status === 403) this.#say("trace.forbidden");
      else this.#say(error.status === 404 ? "trace.none" : "trace.lost", trace_id);
    }
  }

  /** A sentence instead of a drawing, with another try where one may help. */
  #say(key, trace_id = "") {
    const again = el("button", { class: "plain", type: "button", onclick: () => this.#read(trace_id) });
    this.#body.replaceChildren(word(el("p", { role: "status" }), key), trace_id ? word(again, "trace.again") : "");
  }
}

/** Spans with times in ms from the first start, in order of the tree, each with its depth and kind. */
export function layOut(spans) {
  const timed = spans.map((span) => ({
    ...span,
    start: Number(span.start_unix_ns) / MILLION,
    end: Number(span.end_unix_ns) / MILLION,
    kind: kindOf(span),
  }));
  const zero = Math.min(...timed.map(({ start }) => start));
  for (const span of timed) Object.assign(span, { start: span.start - zero, end: Math.max(span.end, span.start) - zero });
  return inTreeOrder(timed);
}

/** Where the time went, in ms. Spans of one sort that overlap count once. */
export function sums(rows) {
  const told = rows.find(({ name }) => name === "last chunk"); // what comes later is our own tidying up
  const total = told?.end ?? Math.max(...rows.map(({ end }) => end));
  const of = (...kinds) => covered(rows.filter(({ kind }) => kinds.includes(kind)), total);
  const all = of("wait", "search", "model");
  return { total, waiting: of("wait"), searching: of("search"), model: of("model"), rest: Math.max(0, total - all) };
}

export function kindOf({ name = "", attributes = {} }) {
  if (name.startsWith("wait")) return "wait";
  if (name === "chat" || name.startsWith("chat ") || "gen_ai.operation.name" in attributes) return "model";
  return /^(stage |serve \S*|call \S*)?search\b/i.test(name) ? "search" : "ours";
}

function inTreeOrder(spans) {
  const known = new Map(spans.map((span) => [span.span_id, span]));
  const children = new Map();
  for (const span of [...spans].sort((a, b) => a.start - b.start || b.end - a.end)) {
    const parent = known.has(span.parent_span_id) ? span.parent_span_id : "";
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  const below = (id, depth) =>
    (children.get(id) ?? []).flatMap((span) => [{ ...span, depth }, ...below(span.span_id, depth + 1)]);
  return below("", 0);
}

/** Length of the union of intervals, up to `most`. */
function covered(spans, most) {
  let [sum, until] = [0, -Infinity];
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    sum += Math.max(0, Math.min(end, most) - Math.max(start, until));
    until = Math.max(until, end);
  }
  return sum;
}

function drawing(trace_id, spans) {
  const rows = layOut(spans);
  const total = Math.max(...rows.map(({ end }) => end)) || 1;
  const list = el("ol", { class: "spans", role: "list" }, ...rows.map((row) => spanRow(row, total)));
  const id = el("p", { class: "trace-id" }, el("code", {}, trace_id));
  return [made(el("p", { class: "sum" }), () => sentence(rows)), legend(), axis(total), list, id];
}

/** "Answered in 412 ms: 9 ms waiting, 31 ms searching, 350 ms model, 22 ms everything else." */
function sentence(rows) {
  const { total, ...times } = sums(rows);
  const named = Object.entries(times).filter(([name, time]) => time >= 0.5 || name === "waiting");
  const parts = named.map(([name, time]) => say(`trace.${name}`, { time: roughly(time) })).join(say("list.comma"));
  const answered = rows.some(({ service }) => service === "ai-engine");
  return say(answered ? "trace.sum" : "trace.sum.plain", { total: roughly(total), parts });
}

const roughly = (ms) => span(ms >= 1 ? Math.round(ms) : ms);

/** A length of time as people say it: 0.4 ms, 31 ms, 1.24 s. */
function span(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
}

function legend() {
  const entry = (kind) => el("li", {}, el("span", { class: `swatch ${kind}` }), word(el("span"), `trace.legend.${kind}`));
  return el("ul", { class: "legend", role: "list" }, ...["ours", "wait", "search", "model"].map(entry));
}

function axis(total) {
  const marks = [0, 0.25, 0.5, 0.75, 1].map((part) => el("span", {}, span(part * total)));
  return el("div", { class: "axis", "aria-hidden": "true" }, ...marks);
}

function spanRow(row, total) {
  const bar = el("span", { class: `bar ${row.kind}${row.status === "error" ? " error" : ""}` });
  bar.style.left = `${(100 * row.start) / total}%`;
  bar.style.width = `${(100 * (row.end - row.start)) / total}%`;
  const label = el("span", { class: "label" }, el("b", {}, row.name), el("i", {}, row.service));
  label.style.paddingInlineStart = `${Math.min(row.depth, 8) * 10}px`;
  const time = el("span", { class: "time" }, span(row.end - row.start));
  const track = el("span", { class: "track" }, bar);
  const facts = { name: row.name, service: row.service, time: span(row.end - row.start), start: span(row.start) };
  const summary = word(el("summary", {}, label, track, time), "trace.span", facts, "aria-label");
  return el("li", {}, el("details", {}, summary, attributes(row)));
}

function attributes({ span_id, kind: _, status, attributes: facts = {} }) {
  const pairs = Object.entries({ span_id, status, ...facts }).filter(([, value]) => value);
  return el("dl", {}, ...pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
}
