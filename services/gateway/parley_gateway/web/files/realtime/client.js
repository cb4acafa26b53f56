/**
 * Parley Realtime v1 for one conversation: resumed, in order, nothing lost or doubled.
 * Knows no page; the widget and the console use it as it is. This folder depends on nothing else.
 *
 * Events (`event.detail`):
 *   phase    {phase: connecting|catching_up|online|reconnecting|offline|refused, code}
 *   reset    {first}      everything shown so far is void; events follow from seq `first`
 *   event    Event frame  durable, once each, in order of seq
 *   draft    {message_id, origin, text}   the preview of a reply, all of it each time
 *   dropped  {message_id} a preview that will not be completed
 *   outgoing entry        a message of ours changed its state: queued|sent|failed|stored, or shown (as an event)
 *   slow     {until}      sent too fast; goes on by itself at that time (ms)
 *   typing   {sender}     the other side writes
 */
import { LINES, openLine } from "./lines.js";
import { Drafts, Ordered } from "./ordered.js";
import { newId, Outbox } from "./outbox.js";
import { ApiError, Rest } from "./rest.js";
import { Storage } from "./storage.js";

export { ApiError, Storage };

const ANSWER_MS = 10_000; // for a welcome, an ack
const PROBE_MS = 3_000; // for a sign of life after sleep or a change of network
const GAP_MS = 300; // events in flight may close a gap by themselves
const TYPING_MS = 3_000;
const PAGE = 100; // events per page of history
const FAILURES = 2; // connections without a welcome before another transport is tried
const BACKOFF_MS = { least: 500, most: 20_000 };
const TRY_AGAIN = { rate_limited: 1_000, unavailable: 2_000 }; // refusals that pass, and how soon

export class ParleyClient extends EventTarget {
  #base;
  #hello;
  #rest;
  #outbox;
  #ordered = new Ordered();
  #drafts = new Drafts();
  #timers = new Map();
  #socket = null;
  #session = "";
  #stopped = true;
  #welcomed = false;
  #known = false; // a position was agreed with the server since this page opened
  #renewed = false; // one new token per refusal, never a loop
  #attempt = 0;
  #lines;
  #failures = 0; // in a row, of this transport
  #gaps = 0; // attempts to close the same gap
  #filling = null;
  #head = 0; // the server's last seq, as far as it told us
  #seen = 0; // up to where `read` was said
  #typedAt = 0;
  #holdUntil = 0;
  #silenceMs = 0;
  #phase = "";

  constructor({ siteKey, base = document.baseURI, locale = "en", client = "page/1.0", transports = LINES }) {
    super();
    this.#lines = [...transports];
    const storage = new Storage(`parley.${siteKey}.`);
    this.#base = new URL(".", base);
    this.#hello = { client, locale };
    this.#rest = new Rest({ base: this.#base, siteKey, storage });
    this.#outbox = new Outbox(storage);
  }

  // ---- what a page calls -------------------------------------------------------------------------

  start() {
    this.#stopped = false;
    for (const type of ["online", "offline", "pageshow"]) addEventListener(type, this.#wake);
    document.addEventListener("visibilitychange", this.#wake);
    for (const entry of this.#outbox.all()) this.#emit("outgoing", entry);
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    for (const type of ["online", "offline", "pageshow"]) removeEventListener(type, this.#wake);
    document.removeEventListener("visibilitychange", this.#wake);
    this.#disconnect();
  }

  /** Keep a message and send it as soon as can be; answers its id. `media` are answers of `upload`. */
  send({ text = "", media = [] }) {
    const entry = { client_msg_id: newId(), text, media, at: new Date().toISOString() };
    this.#typedAt = 0; // what is written next is news again
    this.#change(entry, { state: "queued", sentAt: 0 });
    this.#flush();
    return entry.client_msg_id;
  }

  /** Send a refused message again, under the same id. */
  retry(id) {
    const entry = this.#outbox.get(id);
    if (!entry) return;
    this.#change(entry, { state: "queued", sentAt: 0, reason: undefined });
    this.#flush();
  }

  discard(id) {
    this.#outbox.take(id);
  }

  /** Takes effect with the next connection. */
  set locale(locale) {
    this.#hello.locale = locale;
  }

  /** Ask for the running reply to be stopped. */
  stopReply(message_id) {
    this.#write({ stop: { message_id } });
  }

  /** Tell the other side that the visitor writes; at most every three seconds. */
  typing() {
    if (Date.now() - this.#typedAt < TYPING_MS) return;
    this.#typedAt = Date.now();
    this.#write({ typing: {} });
  }

  /** Say that everything up to `seq` was seen. */
  read(seq) {
    if (seq > this.#seen && this.#write({ read: { seq } })) this.#seen = seq;
  }

  /** Leave this conversation and begin a new one. */
  startAgain() {
    this.#rest.forgetToken();
    this.#renewed = false;
    this.#disconnect();
    this.#connect();
  }

  /** The events before seq `before`, for reading back; they are not delivered as `event`. */
  async earlier(before) {
    const after = Math.max(0, before - 1 - PAGE);
    const { events } = await this.#history(after, before - 1 - after);
    return events.filter(({ seq }) => seq < before);
  }

  /** Store a picture; answers {media_id, mime_type, width, height, size, url}. */
  upload(file) {
    return this.#rest.upload(file);
  }

  /** A stored picture, as a Blob. */
  picture(url) {
    return this.#rest.picture(url);
  }

  trace(trace_id) {
    return this.#rest.trace(trace_id);
  }

  // ---- connection --------------------------------------------------------------------------------

  #connect = async () => {
    this.#cancel("reconnect");
    if (this.#stopped || this.#socket) return;
    this.#say(this.#known ? "reconnecting" : "connecting");
    const place = (this.#socket = { close() {} }); // nobody else connects while a token is fetched
    try {
      const token = await this.#rest.token();
      if (this.#socket === place) this.#open(token);
    } catch (error) {
      if (this.#socket === place) this.#noToken(error);
    }
  };

  #open({ token, session_id }) {
    if (this.#session && this.#session !== session_id) this.#forget();
    this.#session = session_id;
    const socket = (this.#socket = openLine(this.#lines[0], this.#base));
    const position = { id: session_id, epoch: this.#ordered.epoch, after_seq: this.#ordered.last };
    socket.onopen = () => socket.send(JSON.stringify({ hello: { token, ...this.#hello, streams: [position] } }));
    socket.onmessage = ({ data }) => this.#socket === socket && this.#receive(data);
    socket.onclose = ({ code }) => this.#socket === socket && this.#closed(code);
    this.#after("silence", ANSWER_MS, this.#reconnect);
  }

  #noToken(error) {
    this.#disconnect();
    const final = error instanceof ApiError && error.status < 500 && error.status !== 429;
    if (final) this.#say("refused", error.status);
    else this.#later(error.retryAfterMs);
  }

  /** 40xx: do not come back, except once with a new token. Everything else: come back. */
  #closed(code) {
    if (!this.#welcomed && code < 4000 && ++this.#failures >= FAILURES) this.#nextLine();
    this.#disconnect();
    if (code === 4001 && !this.#renewed) {
      this.#renewed = true;
      this.#rest.expireToken();
      this.#connect();
    } else if (code >= 4000 && code < 4100) {
      this.#say("refused", code);
    } else {
      this.#later(this.#holdUntil - Date.now());
    }
  }

  /** This network lets no such transport through; another may do. */
  #nextLine() {
    this.#failures = 0;
    this.#lines.push(this.#lines.shift());
  }

  #reconnect = () => {
    this.#disconnect();
    this.#later();
  };

  /** Full jitter, so that a restarted server does not meet everybody at once. */
  #later(atLeastMs = 0) {
    const most = Math.min(BACKOFF_MS.most, BACKOFF_MS.least * 2 ** this.#attempt++);
    this.#say(this.#known ? "reconnecting" : "connecting");
    if (!this.#stopped) this.#after("reconnect", Math.max(atLeastMs, Math.random() * most), this.#connect);
  }

  #disconnect() {
    const socket = this.#socket;
    this.#socket = null;
    this.#welcomed = false;
    this.#filling = null;
    for (const name of [...this.#timers.keys()]) this.#cancel(name);
    socket?.close();
  }

  /** The network or the visitor is back: connect at once, or ask whether the socket still lives. */
  #wake = () => {
    if (this.#stopped || document.hidden) return;
    if (this.#timers.has("reconnect")) {
      this.#attempt = 0;
      this.#connect();
    } else {
      this.#probe();
    }
  };

  /** Does the other end still live? */
  #probe() {
    if (this.#write({ ping: { n: 1 } })) this.#after("silence", PROBE_MS, this.#reconnect);
  }

  /** Answers whether there was a connection to write to. */
  #write(frame) {
    if (this.#welcomed) this.#socket.send(JSON.stringify(frame));
    return this.#welcomed;
  }

  // ---- frames ------------------------------------------------------------------------------------

  #receive(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return this.#reconnect();
    }
    const [kind] = Object.keys(frame);
    this.#on[kind]?.(frame[kind]);
    if (this.#welcomed) this.#after("silence", this.#silenceMs, this.#reconnect);
  }

  #on = {
    welcome: (welcome) => this.#welcome(welcome),
    ack: (ack) => this.#acked(ack),
    message_begin: (frame) => this.#drafted(this.#drafts.begin(frame)),
    message_chunk: (frame) => this.#drafted(this.#drafts.chunk(frame)),
    event: (event) => this.#arrived(event),
    error: (error) => this.#refused(error),
    ping: (ping) => this.#pinged(ping),
    typing: ({ sender }) => this.#emit("typing", { sender }),
    bye: ({ retry_after_ms = 0 }) => (this.#holdUntil = Date.now() + retry_after_ms),
  };

  #welcome({ session_id, ping_s = 25, streams = [] }) {
    const { epoch = 0, recovered = false, head_seq } = streams.find(({ id }) => id === session_id) ?? {};
    this.#welcomed = true;
    this.#renewed = false;
    this.#attempt = 0;
    this.#failures = 0;
    this.#silenceMs = 2000 * ping_s + 5_000;
    if (recovered) this.#resume(epoch, head_seq ?? 0);
    else this.#reload(epoch, streams.length ? head_seq ?? 0 : Infinity);
    this.#outbox.forgetWrites();
    this.#flush();
  }

  #resume(epoch, head) {
    if (!this.#known) this.#emit("reset", { first: 1 });
    this.#known = true;
    this.#ordered.epoch = epoch;
    this.#head = head;
    this.#progress();
  }

  /** Read the end of the conversation anew, because what is shown may miss something. */
  #reload(epoch, head) {
    const last = head === Infinity ? 0 : Math.max(0, head - PAGE);
    this.#known = true;
    this.#filling = null;
    this.#ordered.restart(epoch, last);
    this.#head = head;
    this.#emit("reset", { first: last + 1 });
    if (head > last) this.#fill();
    else this.#progress();
  }

  #forget() {
    this.#known = false;
    this.#seen = 0;
    this.#ordered.restart(0, 0);
    this.#emit("reset", { first: 1 });
  }

  /** Pings tell the server's position, so that even a silent loss shows. */
  #pinged({ streams = [] }) {
    this.#write({ pong: {} });
    for (const { head_seq = 0 } of streams) this.#head = Math.max(this.#head, head_seq);
    this.#progress();
  }

  #arrived(event) {
    const { epoch } = this.#ordered;
    if (epoch && event.epoch && event.epoch !== epoch) return this.#reload(event.epoch, Infinity);
    this.#ordered.offer(event);
    this.#progress();
  }

  /** Deliver what is in order, ask for what is missing, and say which of both it is. */
  #progress() {
    this.#deliverReady();
    if (this.#ordered.gap || this.#ordered.last < this.#head) {
      this.#say("catching_up");
      if (!this.#filling && !this.#timers.has("gap")) this.#after("gap", GAP_MS * 2 ** this.#gaps, this.#fill);
    } else {
      this.#cancel("gap");
      if (this.#welcomed) this.#say("online");
    }
  }

  #deliverReady() {
    for (const event of this.#ordered.ready()) {
      this.#gaps = 0;
      this.#deliver(event);
    }
  }

  #deliver(event) {
    const { message, message_end, session } = event;
    if (message_end) this.#drafts.end(message_end.message_id);
    // One reply is written at a time: its end, or a person who takes over, voids every other preview.
    if (message_end || (session && session.status !== "open")) this.#dropDrafts(message_end?.message_id);
    this.#emit("event", event);
    if (message?.client_msg_id) this.#settle(message.client_msg_id, "shown");
  }

  #drafted(draft) {
    if (!draft) return;
    this.#dropDrafts(draft.message_id);
    this.#emit("draft", draft);
  }

  #dropDrafts(except) {
    for (const message_id of this.#drafts.others(except)) {
      this.#drafts.end(message_id);
      this.#emit("dropped", { message_id });
    }
  }

  // ---- sending -----------------------------------------------------------------------------------

  /** Write what is due, oldest first; what got no ack in time goes again under the same id. */
  #flush = () => {
    if (!this.#welcomed) return;
    const wait = this.#holdUntil - Date.now();
    if (wait > 0) return this.#after("flush", wait, this.#flush);
    const due = this.#outbox.due(Date.now() - ANSWER_MS);
    if (due.some(({ sentAt }) => sentAt)) this.#probe(); // no ack in time: a frozen server never closes
    for (const entry of due) this.#post(entry);
    if (this.#outbox.due(Date.now()).length) this.#after("flush", 1_000, this.#flush);
  };

  #post(entry) {
    const { client_msg_id, text, media } = entry;
    this.#write({ send: { client_msg_id, text, media_ids: media.map(({ media_id }) => media_id) } });
    this.#change(entry, { state: "sent", sentAt: Date.now() });
  }

  /** The ack names our message's place in the order; its event may or may not be sent to us as well. */
  #acked({ client_msg_id, message_id, seq = 0, trace_id = "" }) {
    const entry = this.#settle(client_msg_id, seq > this.#ordered.last ? "stored" : "shown");
    if (!entry) return;
    const { text, media, at } = entry;
    const message = { message_id, client_msg_id, text, media, trace_id, sender: { kind: "visitor" } };
    this.#ordered.offerGuess({ seq, epoch: this.#ordered.epoch, at, message });
    this.#progress();
  }

  #settle(client_msg_id, state) {
    const entry = this.#outbox.take(client_msg_id);
    if (entry) this.#emit("outgoing", { ...entry, state });
    return entry;
  }

  #refused({ code, message, retry_after_ms, client_msg_id }) {
    const waitMs = retry_after_ms || TRY_AGAIN[code];
    if (code in TRY_AGAIN) this.#holdUntil = Math.max(this.#holdUntil, Date.now() + waitMs);
    if (code === "rate_limited") this.#emit("slow", { until: this.#holdUntil });
    const entry = this.#outbox.get(client_msg_id);
    if (!entry) return;
    if (code in TRY_AGAIN) this.#change(entry, { state: "queued", sentAt: 0 });
    else this.#change(entry, { state: "failed", reason: { code, message } });
    this.#flush();
  }

  #change(entry, facts) {
    Object.assign(entry, facts);
    this.#outbox.put(entry);
    this.#emit("outgoing", { ...entry });
  }

  // ---- history -----------------------------------------------------------------------------------

  /** Close a gap from the store; a failure is answered by a new connection. */
  #fill = async () => {
    if (this.#filling) return;
    const mine = (this.#filling = {});
    this.#say("catching_up");
    try {
      await this.#fillPages(() => this.#filling === mine);
    } catch {
      if (this.#filling === mine) this.#reconnect();
    }
    if (this.#filling !== mine) return;
    this.#filling = null;
    this.#gaps = Math.min(this.#gaps + 1, 6);
    this.#progress();
  };

  async #fillPages(wanted) {
    for (let more = true; more; ) {
      const before = this.#ordered.last;
      const { epoch = 0, head_seq = 0, events } = await this.#history(before, PAGE);
      if (!wanted()) return;
      if (this.#ordered.epoch && epoch !== this.#ordered.epoch) return this.#reload(epoch, head_seq);
      this.#ordered.epoch = epoch;
      this.#head = this.#head === Infinity ? head_seq : Math.max(this.#head, head_seq);
      for (const event of events) this.#ordered.offer(event);
      this.#deliverReady();
      more = this.#ordered.last > before && this.#ordered.last < this.#head;
    }
  }

  async #history(after, limit) {
    const { events = [], ...rest } = await this.#rest.history(this.#session, after, limit);
    return { ...rest, events: events.map((entry) => entry.event ?? entry) }; // bare events, or frames around them
  }

  // ---- small things ------------------------------------------------------------------------------

  #say(phase, code = 0) {
    const named = !navigator.onLine && phase !== "online" && phase !== "refused" ? "offline" : phase;
    if (named === this.#phase) return;
    this.#phase = named;
    this.#emit("phase", { phase: named, code });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #after(name, ms, then) {
    this.#cancel(name);
    const run = () => {
      this.#timers.delete(name);
      then();
    };
    this.#timers.set(name, setTimeout(run, ms));
  }

  #cancel(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
