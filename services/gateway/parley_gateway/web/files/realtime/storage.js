/** localStorage under a prefix; memory for what the browser refuses to keep. */
export class Storage {
  #prefix;
  #memory = new Map();

  constructor(prefix) {
    this.#prefix = prefix;
  }

  get(name) {
    try {
      const kept = localStorage.getItem(this.#prefix + name);
      if (kept !== null) return JSON.parse(kept);
    } catch {
      // Forbidden or spoilt: what memory has is all there is.
    }
    return this.#memory.get(name) ?? null;
  }

  set(name, value) {
    try {
      localStorage.setItem(this.#prefix + name, JSON.stringify(value));
      this.#memory.delete(name);
    } catch {
      this.#memory.set(name, value); // full or forbidden: serves until the page closes
    }
  }

  remove(name) {
    this.#memory.delete(name);
    try {
      localStorage.removeItem(this.#prefix + name);
    } catch {
      // It was in memory only.
    }
  }

  names(start) {
    const kept = this.#keys().filter((key) => key.startsWith(this.#prefix));
    const names = [...kept.map((key) => key.slice(this.#prefix.length)), ...this.#memory.keys()];
    return names.filter((name) => name.startsWith(start)).sort();
  }

  #keys() {
    try {
      return Object.keys(localStorage);
    } catch {
      return [];
    }
  }
}
