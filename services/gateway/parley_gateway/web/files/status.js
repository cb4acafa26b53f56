/** One line above the message field: the most urgent thing to know now, or how to send. */
import { plain, word } from "./elements.js";

const URGENT_FIRST = ["connection", "slow", "problem", "info", "hint"];

export class Status {
  #line;
  #shown = "";
  #now = new Map();
  #timers = new Map();

  constructor(line) {
    this.#line = line;
  }

  /** Say `key` in slot `slot`; `tone` is "", warn or bad; with `ms` it goes by itself. */
  set(slot, key, { facts = {}, tone = "", ms = 0 } = {}) {
    clearTimeout(this.#timers.get(slot));
    this.#now.set(slot, { key, facts, tone });
    if (ms) this.#timers.set(slot, setTimeout(() => this.clear(slot), ms));
    this.#show();
  }

  clear(slot) {
    clearTimeout(this.#timers.get(slot));
    if (this.#now.delete(slot)) this.#show();
  }

  #show() {
    const slot = URGENT_FIRST.find((name) => this.#now.has(name));
    this.#line.setAttribute("aria-live", slot === this.#shown ? "off" : "polite"); // a countdown is read out once
    this.#shown = slot;
    const { key, facts, tone } = this.#now.get(slot) ?? {};
    this.#line.className = `status ${tone ?? ""}`;
    if (key) word(this.#line, key, facts);
    else plain(this.#line);
  }
}
