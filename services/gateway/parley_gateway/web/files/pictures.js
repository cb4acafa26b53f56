/** Pictures of the message that is being written: added by button, paste or drop, uploaded at once. */
import { el, icon, ICONS, word } from "./elements.js";

const TYPES = ["image/jpeg", "image/png", "image/webp", "image/gif"];
const MOST_BYTES = 5 * 1024 * 1024;
const MOST = 4;
const REFUSALS = { 400: "broken", 413: "size", 415: "type", 429: "slow" };

export class Pictures {
  #tray;
  #client;
  #tell;
  #items = new Map();
  #addresses = new Map(); // media_id -> promise of an address that the page may show

  /** `tell(key, facts)` says why a file was refused. */
  constructor(tray, client, tell) {
    this.#tray = tray;
    this.#client = client;
    this.#tell = tell;
  }

  get uploading() {
    return [...this.#items.values()].some(({ media, failed }) => !media && !failed);
  }

  get empty() {
    return this.#items.size === 0;
  }

  add(files) {
    for (const file of files) {
      const why = this.#whyNot(file);
      if (why) this.#tell(`picture.refused.${why}`, { name: file.name, most: MOST });
      else this.#begin(file);
    }
  }

  /** The uploaded pictures, taken out of the tray; those that failed stay in it. */
  take() {
    const done = [...this.#items].filter(([, { media }]) => media);
    for (const [file, { chip }] of done) {
      this.#items.delete(file);
      chip.remove();
    }
    return done.map(([, { media }]) => media);
  }

  /** An address to show a stored picture by. Ours are known; others are read with the visitor's token. */
  address({ media_id, url }) {
    if (!this.#addresses.has(media_id)) {
      const reading = this.#client.picture(url).then((blob) => URL.createObjectURL(blob));
      this.#addresses.set(media_id, reading);
      reading.catch(() => this.#addresses.delete(media_id));
    }
    return this.#addresses.get(media_id);
  }

  #whyNot(file) {
    if (!TYPES.includes(file.type)) return "type";
    if (file.size > MOST_BYTES) return "size";
    return this.#items.size >= MOST ? "count" : null;
  }

  #begin(file) {
    const address = URL.createObjectURL(file);
    const item = { media: null, failed: false, address, chip: null };
    item.chip = this.#chip(file, address);
    this.#items.set(file, item);
    this.#tray.append(item.chip);
    this.#upload(file, item);
  }

  async #upload(file, item) {
    this.#mark(item, { failed: false });
    try {
      const media = await this.#client.upload(file);
      this.#addresses.set(media.media_id, Promise.resolve(item.address));
      this.#mark(item, { media: { ...media, name: file.name } });
    } catch (error) {
      this.#refused(file, item, error);
    }
    this.#tray.dispatchEvent(new Event("settled"));
  }

  /** What can never work leaves; what may work later stays, with a way to try again. */
  #refused(file, item, error) {
    const why = REFUSALS[error.status] ?? "lost";
    this.#tell(`picture.refused.${why}`, { name: file.name });
    if (why === "lost" || why === "slow") this.#mark(item, { failed: true });
    else this.#remove(file);
  }

  #mark(item, facts) {
    Object.assign(item, facts);
    const { chip, media, failed } = item;
    chip.dataset.state = media ? "ready" : failed ? "failed" : "uploading";
    chip.querySelector(".again").hidden = !failed;
    chip.querySelector(".busy").hidden = Boolean(media || failed);
  }

  #chip(file, address) {
    const button = (attributes, ...children) => el("button", { type: "button", ...attributes }, ...children);
    const remove = button({ class: "remove", onclick: () => this.#remove(file) }, icon(ICONS.close));
    const again = button({ class: "again quiet", onclick: () => this.#upload(file, this.#items.get(file)) });
    word(remove, "picture.remove", { name: file.name }, "aria-label");
    word(again, "picture.retry");
    const image = el("img", { src: address, alt: file.name, width: 64, height: 64 });
    return el("li", { class: "chip" }, image, word(el("span", { class: "busy" }), "picture.uploading"), again, remove);
  }

  #remove(file) {
    this.#items.get(file)?.chip.remove();
    this.#items.delete(file);
    this.#tray.dispatchEvent(new Event("settled"));
  }
}
