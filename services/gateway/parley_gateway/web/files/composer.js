/** Where the visitor writes: a field that grows, pictures, send and stop. */
import { el, icon, ICONS, word } from "./elements.js";
import { Pictures } from "./pictures.js";

const MOST_CHARACTERS = 8_000;

export class Composer {
  #form;
  #field;
  #stop;
  #status;
  #desk;
  #sendWhenReady = false;

  /** `desk`: send({text, media}), typing(), stop(). */
  constructor(form, client, status, desk) {
    this.#form = form;
    this.#status = status;
    this.#desk = desk;
    this.#build();
    const tell = (key, facts) => status.set("problem", key, { facts, tone: "bad", ms: 12_000 });
    this.pictures = new Pictures(form.querySelector(".tray"), client, tell);
    this.#listen();
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  /** While a reply is being written it can be stopped. */
  set running(running) {
    if (!running && document.activeElement === this.#stop) this.focus();
    this.#stop.hidden = !running;
  }

  #build() {
    const field = el("textarea", { id: "message", rows: 1, autocomplete: "off", enterkeyhint: "send" });
    word(field, "composer.placeholder", {}, "placeholder");
    word(field, "composer.label", {}, "aria-label");
    this.#field = field;
    this.#stop = this.#button("stop", { hidden: true, onclick: () => this.#desk.stop() });
    const file = el("input", { type: "file", accept: "image/*", multiple: true, hidden: true });
    file.addEventListener("change", () => {
      this.#add(file.files);
      file.value = "";
    });
    const attach = this.#button("attach", { onclick: () => file.click() });
    const row = el("div", { class: "row" }, attach, file, field, this.#stop, this.#button("send", { type: "submit" }));
    this.#form.append(el("ul", { class: "tray", role: "list" }), row);
  }

  #button(name, attributes) {
    const button = el("button", { type: "button", class: `tool ${name}`, ...attributes }, icon(ICONS[name]));
    word(button, `composer.${name}`, {}, "aria-label");
    return word(button, `composer.${name}`, {}, "title");
  }

  #listen() {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#form.querySelector(".tray").addEventListener("settled", () => this.#sendWhenReady && this.#submit());
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    this.#field.addEventListener("input", () => this.#edited());
    this.#field.addEventListener("paste", (event) => this.#pasted(event));
    this.#listenForDrops();
  }

  #pressed(event) {
    // While an input method composes, Enter chooses a word. Safari says so by key code alone.
    const composing = event.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || composing) return;
    event.preventDefault();
    this.#submit();
  }

  #edited() {
    this.#status.clear("problem");
    this.#sendWhenReady = false;
    this.#grow();
    if (this.#field.value.trim()) this.#desk.typing();
  }

  #grow() {
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  #submit() {
    const text = this.#field.value.trim();
    const tooMany = [...text].length - MOST_CHARACTERS;
    this.#sendWhenReady = this.pictures.uploading;
    if (tooMany > 0) return this.#status.set("problem", "composer.tooLong", { facts: { count: tooMany }, tone: "bad" });
    if (this.#sendWhenReady) return this.#status.set("problem", "picture.waits", { ms: 12_000 });
    const media = this.pictures.take();
    if (!text && !media.length) return this.focus();
    this.#status.clear("problem");
    this.#field.value = "";
    this.#grow();
    this.#desk.send({ text, media });
    this.focus();
  }

  #add(files) {
    this.#status.clear("problem");
    this.pictures.add([...files]);
    this.focus();
  }

  #pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    this.#add(files);
  }

  /** The whole page takes a dropped picture; the form shows it. */
  #listenForDrops() {
    const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const show = (dropping) => {
      this.#form.classList.toggle("dropping", dropping);
      if (dropping) this.#status.set("info", "composer.drop");
      else this.#status.clear("info");
    };
    addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      show(true);
    });
    addEventListener("dragleave", (event) => event.relatedTarget || show(false));
    addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      show(false);
      this.#add(event.dataTransfer.files);
    });
  }
}
