/**
 * The log: what is stored, in order, and below it what is still arriving (previews, our own unstored messages).
 * Only the stored part is announced to readers, so a reply is read once, when it is complete.
 */
import { draftBubble, note, notice, outgoingBubble, redraft, storedBubble } from "./bubbles.js";
import { el, word } from "./elements.js";

const LONG_MS = 2_000; // after this a wait is explained
const GIVE_UP_MS = 60_000; // after this nobody believes that somebody writes
const WRITES_MS = 5_000; // how long one "is writing" lasts
const NEAR = 96; // pixels from the end that count as being at the end

export class Conversation {
  #log;
  #desk;
  #stored = el("div", { class: "stored" });
  #arriving = el("div", { class: "arriving", "aria-live": "off" });
  #indicator = el("p", { class: "indicator", hidden: true }, el("span", { class: "dots", "aria-hidden": "true" }), el("span"));
  #newer = el("button", { class: "newer", type: "button", hidden: true, onclick: () => this.#toEnd() });
  #earlier = el("button", { class: "quiet earlier", type: "button", hidden: true, onclick: () => this.#readBack() });
  #drafts = new Map();
  #own = new Map();
  #timers = [];
  #first = 1;
  #status = "open";
  #agent = "";
  #atEnd = true;

  /** `desk`: openTrace, picture, retry, forget, earlier(before) -> events, online() -> boolean, focus(). */
  constructor(log, foot, desk) {
    this.#log = log;
    this.#desk = { ...desk, discard: (id) => this.#discard(id) };
    log.append(this.#earlier, this.#stored, this.#arriving);
    foot.prepend(this.#newer);
    this.#arriving.append(this.#indicator);
    word(this.#earlier, "log.earlier");
    word(this.#newer, "log.newer");
    log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#follow()).observe(log); // the keyboard of a phone, a growing composer
  }

  /** The reply that is being written now, if any. */
  get running() {
    return [...this.#drafts.keys()].pop();
  }

  /** Begin anew at seq `first`; our own unstored messages stay. */
  reset(first) {
    this.#first = first;
    this.#stored.replaceChildren();
    for (const id of [...this.#drafts.keys()]) this.dropped(id);
    this.#status = "open";
    this.#agent = "";
    this.#atEnd = true;
    this.#indicate(null);
    this.#earlier.hidden = first <= 1;
  }

  apply(event) {
    const { message, message_end, session } = event;
    const said = message_end ?? message;
    const node = this.#render(event);
    const replaced = said && (this.#take(this.#drafts, said.message_id) ?? this.#take(this.#own, said.client_msg_id));
    if (node) this.#stored.append(node);
    if (session) this.#remember(session);
    this.#expect(said, session);
    if (replaced) this.#keepFocus(replaced);
    // The end of a streamed reply fills the space that was kept for it: nothing moves.
    if (!(replaced && message_end)) this.#follow(node);
  }

  outgoing(entry) {
    const old = this.#own.get(entry.client_msg_id);
    if (entry.state === "shown") return this.#take(this.#own, entry.client_msg_id)?.remove();
    const node = outgoingBubble(entry, this.#desk, this.#desk.online());
    this.#own.set(entry.client_msg_id, node);
    if (old) old.replaceWith(node);
    else this.#indicator.before(node);
    if (!old) this.#toEnd();
  }

  draft(draft) {
    this.#indicate(null);
    if (!this.#drafts.has(draft.message_id)) this.#begin(draft);
    redraft(this.#drafts.get(draft.message_id), draft);
    this.#follow();
  }

  dropped(message_id) {
    this.#take(this.#drafts, message_id)?.remove();
  }

  typing({ kind, name } = {}) {
    if (kind === "agent") this.#indicate("typing.agent", { name }, WRITES_MS);
    else if (kind === "engine" && !this.running) this.#indicate("typing.engine");
  }

  #begin(draft) {
    const node = draftBubble(draft);
    this.#drafts.set(draft.message_id, node);
    this.#indicator.before(node);
  }

  #render({ at, message, message_end, session }) {
    if (session) return this.#sessionNote(session);
    const said = message_end ?? message;
    if (!said) return null;
    return said.sender?.kind === "system" ? notice(said, at, this.#desk) : storedBubble(said, at, this.#desk);
  }

  #sessionNote({ status, agent, reason, place }) {
    const name = agent?.name || this.#agent;
    if (status === "waiting") return place ? note("session.waiting.place", { place }, "waiting") : note("session.waiting", {}, "waiting");
    if (status === "assigned") return note("session.assigned", { name }, "person");
    if (status === "closed") return note(reason === "idle" ? "session.closed.idle" : "session.closed");
    if (this.#status === "open") return null; // the very beginning needs no words
    return name ? note("session.handback", { name }) : note("session.open");
  }

  #remember({ status, agent }) {
    this.#status = status;
    this.#agent = agent?.name ?? "";
  }

  /** A stored message of the visitor is answered by a machine soon; everything else ends the waiting. */
  #expect(said, session) {
    if (said?.sender?.kind === "visitor" && this.#status === "open" && !this.running) this.#indicate("typing.engine");
    else if (said || session) this.#indicate(null);
  }

  #indicate(key, facts = {}, ms = GIVE_UP_MS) {
    this.#timers.splice(0).forEach(clearTimeout);
    this.#indicator.hidden = !key;
    if (!key) return;
    const label = this.#indicator.lastElementChild;
    word(label, key, facts);
    this.#timers.push(setTimeout(() => this.#indicate(null), ms));
    if (key === "typing.engine") this.#timers.push(setTimeout(() => word(label, "typing.engine.long"), LONG_MS));
    this.#follow();
  }

  /** Take a node that is still arriving out of its list and out of the page. */
  #take(list, id) {
    const node = list.get(id);
    list.delete(id);
    return node;
  }

  #keepFocus(node) {
    if (node.contains(document.activeElement)) this.#desk.focus();
    node.remove();
  }

  #discard(id) {
    this.#desk.forget(id);
    const node = this.#take(this.#own, id);
    if (node) this.#keepFocus(node);
  }

  async #readBack() {
    this.#earlier.disabled = true;
    const events = await this.#desk.earlier(this.#first).catch(() => null);
    this.#earlier.disabled = false;
    if (!events?.length) return;
    const height = this.#log.scrollHeight;
    this.#stored.prepend(...events.map((event) => this.#render(event)).filter(Boolean));
    this.#log.scrollTop += this.#log.scrollHeight - height;
    this.#first = events[0].seq;
    this.#earlier.hidden = this.#first <= 1;
  }

  // ---- scrolling: follow the end unless the visitor reads further up --------------------------------

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#atEnd) this.#newer.hidden = true;
  }

  #follow(added = null) {
    if (this.#atEnd) this.#log.scrollTop = this.#log.scrollHeight;
    else if (added) this.#newer.hidden = false;
  }

  #toEnd() {
    this.#atEnd = true;
    this.#newer.hidden = true;
    this.#follow();
  }
}
