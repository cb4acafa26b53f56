/** UUIDv7: sorts by time. Made here because `crypto.randomUUID` needs HTTPS. */
export function newId(now = Date.now()) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let i = 0; i < 6; i++) bytes[i] = Math.floor(now / 2 ** (8 * (5 - i))) % 256;
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/**
 * Messages that are not yet known to be stored: {client_msg_id, text, media, at, state, sentAt, reason}.
 * One storage key each, so that two tabs never overwrite each other's.
 */
export class Outbox {
  #storage;
  #entries = new Map();

  constructor(storage) {
    this.#storage = storage;
    for (const name of storage.names("out.")) {
      const entry = storage.get(name);
      if (entry?.client_msg_id) this.#entries.set(entry.client_msg_id, { ...entry, sentAt: 0 });
    }
  }

  put(entry) {
    this.#entries.set(entry.client_msg_id, entry);
    this.#storage.set("out." + entry.client_msg_id, entry);
  }

  get(id) {
    return this.#entries.get(id);
  }

  take(id) {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    this.#storage.remove("out." + id);
    return entry;
  }

  all() {
    return [...this.#entries.values()];
  }

  /** Entries that were not written since `time` (ms) and were not refused. */
  due(time) {
    return this.all().filter(({ state, sentAt }) => state !== "failed" && sentAt <= time);
  }

  /** A new connection knows nothing of what was written to the last one. */
  forgetWrites() {
    for (const entry of this.#entries.values()) entry.sentAt = 0;
  }
}
