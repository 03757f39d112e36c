/** Live updates: `GET /v1/stream`, connected anew whenever it ends, from the event after the last that was seen. */

import { PsipProblem } from "./problem.js";
import { serverSentEvents } from "./sse.js";

/** What the platform tells of, by the name of the event. Instants are RFC 3339. */
export interface LiveData {
  "submission.completed": {
    id: string;
    feed: string;
    organisation: string | null;
    status: string;
    submitted_by: string;
    completed_at: string;
    links: { submission: string };
  };
  "cells.changed": {
    organisation: string;
    measures: string[];
    periods: string[];
    data_version: number;
    changed_at: string;
    /** The submissions behind it, for those who act for the organisation. */
    submissions?: string[];
    links: { matrix: string };
  };
  "signal.detected": {
    organisation: string;
    measure: string;
    period: string;
    variation: string;
    state: string;
    data_version: number;
    detected_at: string;
    links: { chart: string };
  };
  /** Something was missed that can no longer be told: read anew what you show. */
  reset: Record<string, unknown>;
}

export type LiveKind = keyof LiveData;

/** One live update. Keep `id` to go on from it another day. Kinds that come to be later are to be passed over. */
export type LiveEvent = {
  readonly [K in LiveKind]: { readonly id: string; readonly event: K; readonly data: Readonly<LiveData[K]> };
}[LiveKind];

export interface LiveOptions {
  /** Go on after this event; without it, from now. */
  lastEventId?: string;
  /** Ends the updates. */
  signal?: AbortSignal;
  /** Called each time a connection stands. */
  connected?: () => void;
  /** How long the stream may be silent, in milliseconds, before it is taken for dead. The platform sends heartbeats. */
  silence?: number;
}

/** Opens the stream; `headers` and `signal` are of this attempt. Throws PsipProblem for a refusal. */
export type Connect = (headers: Record<string, string>, signal: AbortSignal) => Promise<Response>;

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
const SILENCE = 60_000;

/**
 * The updates, one after another, until `signal` ends them.
 *
 * What breaks a connection is not the reader's concern: it is made again with `Last-Event-ID`. A refusal (a problem
 * with a 4xx status) is thrown.
 */
export async function* liveUpdates(
  connect: Connect,
  options: LiveOptions,
  sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>,
): AsyncGenerator<LiveEvent, void> {
  let last = options.lastEventId ?? "";
  let base = FIRST_PAUSE;
  let failures = 0;
  while (!options.signal?.aborted) {
    const watch = new Watch(options.silence ?? SILENCE, options.signal);
    try {
      const headers = { Accept: "text/event-stream", ...(last === "" ? {} : { "Last-Event-ID": last }) };
      const response = await connect(headers, watch.signal);
      if (response.status === 204) return;
      options.connected?.();
      const listener = {
        alive: () => watch.alive(),
        passed: (id: string) => (last = id),
        retry: (asked: number) => (base = asked),
      };
      for await (const one of serverSentEvents(parts(response), last, listener)) {
        failures = 0;
        yield { id: one.id, event: one.event, data: JSON.parse(one.data) as unknown } as LiveEvent;
        last = one.id; // only now: what was not taken is told again
      }
    } catch (error) {
      if (options.signal?.aborted) return;
      if (error instanceof SyntaxError || (error instanceof PsipProblem && error.status < 500)) throw error;
    } finally {
      watch.stop();
    }
    if (options.signal?.aborted) return;
    await sleep(Math.min(base * 2 ** failures++, LONGEST_PAUSE), options.signal);
  }
}

async function* parts(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Gives a connection up when nothing has come for too long, or when the reader has had enough. */
class Watch {
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #stopped = (): void => this.#controller.abort();

  constructor(
    private readonly silence: number,
    private readonly outer: AbortSignal | undefined,
  ) {
    outer?.addEventListener("abort", this.#stopped);
    this.alive();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  alive(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#stopped, this.silence);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.outer?.removeEventListener("abort", this.#stopped);
    this.#controller.abort();
  }
}
