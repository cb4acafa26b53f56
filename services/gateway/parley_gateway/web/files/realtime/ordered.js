/** Lets the events of one stream through once each and gapless; keeps those that come too early. */
export class Ordered {
  epoch = 0;
  last = 0;
  #early = new Map();

  restart(epoch, last) {
    this.epoch = epoch;
    this.last = last;
    this.#early.clear();
  }

  offer(event) {
    if (event.seq > this.last) this.#early.set(event.seq, event);
  }

  /** What an ack tells about our own message; the event itself, if it comes, knows better. */
  offerGuess(event) {
    if (!this.#early.has(event.seq)) this.offer(event);
  }

  /** Takes out, in order, what can be delivered now. */
  *ready() {
    while (this.#early.has(this.last + 1)) {
      this.last += 1;
      const event = this.#early.get(this.last);
      this.#early.delete(this.last);
      yield event;
    }
  }

  get gap() {
    return this.#early.size > 0;
  }
}

/** Previews of replies that are being written. A missing chunk freezes one until a snapshot or its end. */
export class Drafts {
  #open = new Map();
  #ended = []; // newest first; a chunk that comes after the end is dropped

  begin({ message_id, origin = "" }) {
    if (this.#ended.includes(message_id)) return null;
    if (!this.#open.has(message_id)) this.#open.set(message_id, { message_id, origin, text: "", next: 0 });
    return this.#open.get(message_id);
  }

  chunk({ message_id, index = 0, delta = "", snapshot = false }) {
    const draft = this.begin({ message_id });
    if (!draft || (!snapshot && index !== draft.next)) return null;
    draft.text = snapshot ? delta : draft.text + delta;
    draft.next = index + 1;
    return draft;
  }

  end(message_id) {
    this.#open.delete(message_id);
    this.#ended = [message_id, ...this.#ended].slice(0, 50);
  }

  others(message_id) {
    return [...this.#open.keys()].filter((id) => id !== message_id);
  }
}
