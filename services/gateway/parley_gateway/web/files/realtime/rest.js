const ANSWER_MS = 10_000;
const UPLOAD_MS = 60_000;

/** A refusal by the server, with what it said. */
export class ApiError extends Error {
  constructor(status, code, message, retryAfterMs = 0) {
    super(message);
    Object.assign(this, { status, code, retryAfterMs });
  }
}

/** The visitor's token and the calls that need it. The token outlives reloads, so the conversation goes on. */
export class Rest {
  #base;
  #siteKey;
  #storage;
  #fetching = null;

  constructor({ base, siteKey, storage }) {
    this.#base = base;
    this.#siteKey = siteKey;
    this.#storage = storage;
  }

  /** The kept {token, session_id, expires_at}, or a new one; concurrent callers share one request. */
  async token() {
    const kept = this.#storage.get("token");
    if (kept && (kept.expires_at == null || new Date(kept.expires_at) > new Date())) return kept;
    this.#fetching ??= this.#newToken(kept?.token).finally(() => (this.#fetching = null));
    return this.#fetching;
  }

  /** The server refused the token: the next call brings it back for a new one. */
  expireToken() {
    const kept = this.#storage.get("token");
    if (kept) this.#storage.set("token", { ...kept, expires_at: 0 });
  }

  forgetToken() {
    this.#storage.remove("token");
  }

  history(session_id, after, limit) {
    return this.#authed(`v1/sessions/${encodeURIComponent(session_id)}/messages?after_seq=${after}&limit=${limit}`);
  }

  trace(trace_id) {
    return this.#authed(`v1/traces/${encodeURIComponent(trace_id)}`);
  }

  upload(file) {
    const body = new FormData();
    body.append("file", file, file.name || "picture.png");
    return this.#authed("v1/media", { method: "POST", body, ms: UPLOAD_MS });
  }

  picture(url) {
    return this.#authed(url, { ms: UPLOAD_MS, read: (response) => response.blob() });
  }

  async #newToken(returning) {
    const token = await this.#call("v1/visitor-tokens", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ site_key: this.#siteKey, ...(returning && { returning }) }),
    });
    this.#storage.set("token", token);
    return token;
  }

  async #authed(path, options = {}) {
    const once = async () => {
      const { token } = await this.token();
      return this.#call(path, { ...options, headers: { Authorization: `Bearer ${token}` } });
    };
    return once().catch((error) => {
      if (error.status !== 401) throw error;
      this.expireToken();
      return once();
    });
  }

  async #call(path, { ms = ANSWER_MS, read = readData, ...options }) {
    const url = new URL(path, this.#base);
    if (url.origin !== this.#base.origin) throw new Error("The token never leaves our origin.");
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), ms);
    try {
      const response = await fetch(url, { ...options, signal: abort.signal });
      return response.ok ? await read(response) : await refuse(response);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function readData(response) {
  return (await response.json()).data;
}

async function refuse(response) {
  const { code, message } = await response.json().catch(() => ({}));
  const retryAfterMs = 1000 * (Number(response.headers.get("Retry-After")) || 0);
  throw new ApiError(response.status, code, message ?? response.statusText, retryAfterMs);
}
