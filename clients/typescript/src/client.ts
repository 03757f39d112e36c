import { repeated, sleep, type Patience } from "./attempts.js";
import type { components } from "./generated.js";
import { liveUpdates, type LiveEvent, type LiveOptions } from "./live.js";
import type { Answer, Asked, Body, Item, Lists, Method, PathsWith, Query } from "./operations.js";
import { PsipProblem } from "./problem.js";
import { KeptToken, type GivenToken, type TokenSource } from "./tokens.js";

export type Schemas = components["schemas"];
export type Receipt = Schemas["Receipt"];
export type Chart = Schemas["Chart"];
export type Series = Schemas["Series"];
export type Row = Readonly<Record<string, string | number | boolean | null>>;

export interface ClientOptions {
  /** The gateway's address. */
  baseUrl: string;
  /** A client's id and secret, on a server; or whoever gives tokens, in a browser. */
  credentials: { clientId: string; clientSecret: string } | TokenSource;
  /** How often a request is sent in all, when the platform is busy or the connection lost. */
  attempts?: number;
  /** The longest pause to agree to, in milliseconds. */
  longestPause?: number;
  /** How long one answer may take, in milliseconds. Live updates have no end. */
  timeout?: number;
  fetch?: typeof fetch;
  sleep?: Patience["sleep"];
}

export interface SubmitOptions extends Omit<Query<"/v1/submissions", "post">, "feed" | "nil"> {
  /** What the content is; text and bytes are CSV unless told. */
  contentType?: string;
  /** How the content is compressed: `gzip` or `zstd`. */
  contentEncoding?: string;
  /** The same key makes a later call with the same content answer as this one; by default it is new. */
  idempotencyKey?: string;
  /** How many seconds the platform is given to finish before it answers with the receipt so far. */
  wait?: number;
  signal?: AbortSignal;
}

interface Page<P extends Lists> {
  items: Item<P>[];
  next_cursor?: string | null;
}

interface Sent {
  path?: Readonly<Record<string, unknown>> | undefined;
  query?: Readonly<Record<string, unknown>> | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  body?: BodyInit | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * The platform, as one client of it.
 *
 * Tokens are bought and renewed as needed. A request that the platform is too busy for is sent again when it says; one
 * that the connection lost is, where that does no harm: every POST carries an Idempotency-Key, so it is carried out once.
 * Every call throws `PsipProblem` for a refusal.
 */
export class Client {
  readonly #base: string;
  readonly #fetch: typeof fetch;
  readonly #tokens: TokenSource;
  readonly #patience: Patience;
  readonly #timeout: number;

  constructor(options: ClientOptions) {
    this.#base = options.baseUrl.replace(/\/+$/, "");
    this.#fetch = options.fetch ?? fetch.bind(globalThis);
    this.#timeout = options.timeout ?? 60_000;
    this.#patience = {
      attempts: options.attempts ?? 6,
      longestPause: options.longestPause ?? 60_000,
      sleep: options.sleep ?? sleep,
    };
    const given = options.credentials;
    this.#tokens = "token" in given ? given : new KeptToken(() => this.#buy(given.clientId, given.clientSecret));
  }

  /** Read: `client.get("/v1/charts/{measure}/{organisation}", { path: { measure, organisation } })`. */
  async get<P extends PathsWith<"get">>(path: P, asked: Asked<P, "get">): Promise<Answer<P, "get">> {
    return (await (await this.#send("get", path, asked as Sent)).json()) as Answer<P, "get">;
  }

  /** Read what is not JSON: a picture, CSV, Parquet, rows to be mended. */
  async read<P extends PathsWith<"get">>(path: P, asked: Asked<P, "get">): Promise<Blob> {
    return (await this.#send("get", path, asked as Sent)).blob();
  }

  /** Every item of a list, page after page: `for await (const one of client.each("/v1/organisations", {})) ...`. */
  async *each<P extends Lists>(path: P, asked: Asked<P, "get">): AsyncGenerator<Item<P>, void> {
    const { query, ...rest } = asked as Sent;
    let cursor: string | null | undefined;
    do {
      const page = (await (await this.#send("get", path, { ...rest, query: { ...query, cursor } })).json()) as Page<P>;
      yield* page.items;
      cursor = page.next_cursor;
    } while (cursor);
  }

  /** Send a JSON document: an annotation, a definition, series for the statistics. Null where nothing is answered. */
  async post<P extends PathsWith<"post">>(
    path: P,
    body: Body<P, "post">,
    asked: Asked<P, "post">,
  ): Promise<Answer<P, "post">> {
    return this.#change("post", path, body, asked as Sent);
  }

  /** Send the whole of what is to be at a path: a draft, an organisation, an enrolment. */
  async put<P extends PathsWith<"put">>(
    path: P,
    body: Body<P, "put">,
    asked: Asked<P, "put">,
  ): Promise<Answer<P, "put">> {
    return this.#change("put", path, body, asked as Sent);
  }

  /** Change some of what is at a path: a row in quarantine, a webhook. */
  async patch<P extends PathsWith<"patch">>(
    path: P,
    body: Body<P, "patch">,
    asked: Asked<P, "patch">,
  ): Promise<Answer<P, "patch">> {
    return this.#change("patch", path, body, asked as Sent);
  }

  /** Take away what is at a path. */
  async delete<P extends PathsWith<"delete">>(path: P, asked: Asked<P, "delete">): Promise<Answer<P, "delete">> {
    return this.#change("delete", path, undefined, asked as Sent);
  }

  /** Send rows of a feed: objects, text or bytes. Null says that there was nothing to report. */
  async submit(
    what: readonly Row[] | string | Uint8Array<ArrayBuffer> | Blob | null,
    feed: string,
    options: SubmitOptions = {},
  ): Promise<Receipt> {
    const { contentType, contentEncoding, idempotencyKey, wait, signal, ...query } = options;
    const rows = Array.isArray(what);
    const body = rows ? what.map(lineOf).join("\n") : what;
    const headers: Record<string, string> = {
      Prefer: `wait=${wait ?? 10}`,
      "Idempotency-Key": idempotencyKey ?? crypto.randomUUID(),
    };
    if (what !== null) headers["Content-Type"] = rows ? "application/x-ndjson" : (contentType ?? "text/csv");
    if (contentEncoding !== undefined) headers["Content-Encoding"] = contentEncoding;
    const response = await this.#send("post", "/v1/submissions", {
      query: { ...query, feed, nil: what === null ? true : undefined },
      headers,
      body: (body as BodyInit | null) ?? undefined,
      signal,
    });
    return (await response.json()) as Receipt;
  }

  /** The receipt once the platform has finished with the submission. */
  async wait(receipt: Receipt, options: { timeout?: number; signal?: AbortSignal } = {}): Promise<Receipt> {
    const most = options.timeout ?? 600_000;
    let [found, waited, pause] = [receipt, 0, 100];
    while (found.status === "processing") {
      if (waited >= most) throw new Error(`submission ${found.id} is still being processed after ${most / 1000} s`);
      await this.#patience.sleep(pause, options.signal);
      [waited, pause] = [waited + pause, Math.min(pause * 1.5, 5_000)];
      const path = { submission_id: found.id };
      found = await this.get("/v1/submissions/{submission_id}", { path, ...signalOf(options.signal) });
    }
    return found;
  }

  /** Everything needed to draw the chart of a measure: points, limits, signals, target, annotations, words. */
  async chart(
    measure: string,
    organisation: string,
    query: Query<"/v1/charts/{measure}/{organisation}", "get"> = {},
  ): Promise<Chart> {
    return this.get("/v1/charts/{measure}/{organisation}", { path: { measure, organisation }, query });
  }

  /** One measure for one organisation, an item a period and stratum. */
  async series(
    measure: string,
    organisation: string,
    query: Omit<Query<"/v1/series", "get">, "measure" | "organisation"> = {},
  ): Promise<Series> {
    return this.get("/v1/series", { query: { ...query, measure, organisation } });
  }

  /** Live updates: `for await (const one of client.live()) ...`, until `signal` ends them. */
  live(options: LiveOptions = {}): AsyncGenerator<LiveEvent, void> {
    const connect = (headers: Record<string, string>, signal: AbortSignal): Promise<Response> =>
      this.#authorised("get", "/v1/stream", { headers }, signal);
    return liveUpdates(connect, options, this.#patience.sleep);
  }

  async #change<T>(method: Method, path: string, document: unknown, asked: Sent): Promise<T> {
    const key = method === "post" ? { "Idempotency-Key": crypto.randomUUID() } : {};
    const headers = document === undefined ? key : { ...key, "Content-Type": "application/json" };
    const body = document === undefined ? undefined : JSON.stringify(document);
    const text = await (await this.#send(method, path, { ...asked, headers, body })).text();
    return (text === "" ? null : JSON.parse(text)) as T;
  }

  async #send(method: Method, path: string, sent: Sent): Promise<Response> {
    return this.#authorised(method, path, sent, null);
  }

  /** The answer, once there is a good one. A token that was ended is renewed once. */
  async #authorised(method: Method, path: string, sent: Sent, endless: AbortSignal | null): Promise<Response> {
    const url = this.#base + addressOf(path, sent);
    const harmless = method === "get" || sent.headers?.["Idempotency-Key"] !== undefined;
    const answer = (token: string): Promise<Response> => {
      const attempt = (): Promise<Response> =>
        this.#fetch(url, {
          method: method.toUpperCase(),
          headers: { ...sent.headers, Authorization: `Bearer ${token}` },
          body: sent.body ?? null,
          signal: endless ?? this.#within(sent.signal),
        });
      return repeated(attempt, this.#patience, harmless, endless ?? sent.signal);
    };
    const token = await this.#tokens.token();
    let response = await answer(token);
    if (response.status === 401) {
      await response.body?.cancel();
      response = await answer(await this.#tokens.token(token));
    }
    if (!response.ok) throw await PsipProblem.of(response);
    return response;
  }

  #within(signal: AbortSignal | undefined): AbortSignal {
    const timeout = AbortSignal.timeout(this.#timeout);
    return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  }

  async #buy(clientId: string, clientSecret: string): Promise<GivenToken> {
    const attempt = (): Promise<Response> =>
      this.#fetch(`${this.#base}/oauth2/token`, {
        method: "POST",
        headers: { Authorization: `Basic ${btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)}` },
        body: new URLSearchParams({ grant_type: "client_credentials" }),
        signal: this.#within(undefined),
      });
    const response = await repeated(attempt, this.#patience, true);
    if (!response.ok) throw await PsipProblem.of(response);
    return (await response.json()) as GivenToken;
  }
}

/** A row as a line of JSON. Throws for NaN and infinities, which JSON would turn into what is missing. */
function lineOf(row: Row, index: number): string {
  return JSON.stringify(row, (name: string, value: unknown) => {
    if (typeof value !== "number" || Number.isFinite(value)) return value;
    throw new TypeError(`row ${index + 1}: ${name} is ${value}; null is what is missing`);
  });
}

/** The address of a path with its parameters filled in; those that are undefined or null are left out. */
function addressOf(path: string, sent: Sent): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(sent.path?.[name])));
  const given = Object.entries(sent.query ?? {}).filter(([, value]) => value !== undefined && value !== null);
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return query === "" ? filled : `${filled}?${query}`;
}

function signalOf(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
