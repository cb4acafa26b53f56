/**
 * Three ways to the same frames, each in the shape of a WebSocket: onopen, onmessage({data}), onclose({code}), send, close.
 * Where a network lets no WebSocket through, server-sent events or long polling do.
 */
const SUBPROTOCOL = "parley.v1.json";
const CODES = { 400: 4002, 401: 4001, 403: 4003, 429: 4129 }; // what an HTTP status means as a close code
const LOST = 4102;
const AGAIN_MS = 1_000;

export const LINES = ["websocket", "events", "poll"];

export function openLine(kind, base) {
  if (kind === "events") return new EventsLine(base);
  if (kind === "poll") return new PollLine(base);
  const url = new URL("v1/rt", base);
  url.protocol = url.protocol.replace("http", "ws");
  return new WebSocket(url, SUBPROTOCOL);
}

class Refused extends Error {
  constructor(status, message, retryAfterMs) {
    super(message);
    Object.assign(this, { status, retryAfterMs });
  }
}

/** What both HTTP transports share: a hello and frames by POST, each answered at once. */
class HttpLine {
  #base;
  #token = "";
  #who = {};
  closed = false;
  leaving = new AbortController();
  onopen = null;
  onmessage = null;
  onclose = null;

  constructor(base) {
    this.#base = base;
    setTimeout(() => this.closed || this.onopen?.());
  }

  send(text) {
    const frame = JSON.parse(text);
    if (frame.hello) this.#hello(frame.hello);
    else if (frame.ping) this.tell({ pong: frame.ping });
    else if (!frame.pong) this.#post(frame);
  }

  close() {
    this.closed = true;
    this.leaving.abort();
  }

  /** It is over: the client asks for another line, or not. */
  end(error) {
    if (this.closed) return;
    if (error?.retryAfterMs) this.tell({ bye: { retry_after_ms: error.retryAfterMs } });
    this.close();
    this.onclose?.({ code: CODES[error?.status] ?? 1006 });
  }

  tell(frame) {
    if (!this.closed) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  url(path, query = {}) {
    const url = new URL(path, this.#base);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url;
  }

  async call(path, body, query) {
    const headers = this.#token ? { authorization: `Bearer ${this.#token}` } : {};
    const options = body && { method: "POST", body: JSON.stringify(body) };
    if (body) headers["content-type"] = "application/json";
    const answer = await fetch(this.url(path, query), { ...options, headers, signal: this.leaving.signal });
    const { data, message } = await answer.json();
    if (!answer.ok) throw new Refused(answer.status, message, 1000 * (answer.headers.get("retry-after") ?? 0));
    return data;
  }

  async #hello(hello) {
    this.#who = { name: hello.name, locale: hello.locale };
    try {
      const data = await this.call("v1/rt/hello", { hello, cookie: this.needsCookie });
      this.#token = data.frames[0].welcome.token || hello.token;
      await this.listen(data);
    } catch (error) {
      this.end(error);
    }
  }

  async #post(frame) {
    const client_msg_id = frame.send?.client_msg_id;
    try {
      const data = await this.call("v1/rt/send", { ...frame, ...this.#who });
      if (data.ack) this.tell(data);
    } catch (error) {
      if (error.status === 401) return this.end(error);
      const passes = !error.status || error.status >= 500;
      const code = passes ? "unavailable" : error.status === 429 ? "rate_limited" : "refused";
      const retry_after_ms = error.retryAfterMs || (passes ? AGAIN_MS : 0);
      if (client_msg_id) this.tell({ error: { code, message: error.message, retry_after_ms, client_msg_id } });
    }
  }
}

/** Asks again and again; every replica can answer. */
class PollLine extends HttpLine {
  needsCookie = false;

  async listen({ frames: first, cursor }) {
    first.forEach((frame) => this.tell(frame));
    while (!this.closed) {
      const { frames, cursor: next, retry_ms } = await this.call("v1/rt/poll", null, { cursor });
      cursor = next;
      for (const frame of frames) {
        if (frame.welcome) return this.end(); // the position is lost: say hello anew
        this.tell(frame);
      }
      this.tell({ pong: {} }); // a sign of life
      if (retry_ms) return this.end({ retryAfterMs: retry_ms });
    }
  }
}

/** Listens to an EventSource, which comes back and resumes by itself. */
class EventsLine extends HttpLine {
  needsCookie = true;

  listen({ frames }) {
    const { session_id, streams } = frames[0].welcome;
    const last = frames.findLast(({ event }) => event)?.event ?? { epoch: streams[0].epoch, seq: streams[0].head_seq };
    const position = `${last.epoch}:${last.seq ?? 0}`;
    const source = new EventSource(this.url("v1/rt/stream", { session: session_id, position }));
    this.leaving.signal.addEventListener("abort", () => source.close());
    // What the hello told counts once the stream is open: a network without it must not look like a good one.
    source.onopen = () => frames.splice(0).forEach((frame) => this.tell(frame));
    source.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    source.onerror = () => source.readyState === EventSource.CLOSED && this.end();
  }

  #receive(frame) {
    if (frame.welcome) {
      if (!frame.welcome.streams[0].recovered) this.end({ status: LOST });
    } else if (frame.bye && frame.bye.code < 4100) {
      this.end({ status: frame.bye.code === 4001 ? 401 : 400 });
    } else {
      this.tell(frame);
    }
  }
}
