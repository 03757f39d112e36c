/** Server-sent events, read from a stream of bytes as the HTML standard says (9.2.6). */

/** One event. `id` is the last that was told: send it back as `Last-Event-ID` to go on from there. */
export interface ServerSentEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** What reading tells besides the events themselves. */
export interface Listener {
  /** Something came, be it a mere heartbeat. */
  alive?(): void;
  /** What came up to this id is not for us: go on from there. */
  passed?(id: string): void;
  /** The platform asks for this pause, in milliseconds, before connecting anew. */
  retry?(milliseconds: number): void;
}

/** Puts lines together to events. An event that is cut off by the end of the stream is not one. */
export class EventLines {
  #id: string;
  #event = "";
  #data: string[] = [];

  constructor(
    lastEventId = "",
    private readonly listener: Listener = {},
  ) {
    this.#id = lastEventId;
  }

  /** The event that this line ends, or null. */
  take(line: string): ServerSentEvent | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.listener.retry?.(Number(value));
    return null;
  }

  #dispatch(): ServerSentEvent | null {
    const [event, data] = [this.#event || "message", this.#data];
    this.#event = "";
    this.#data = [];
    if (data.length === 0) {
      this.listener.passed?.(this.#id);
      return null;
    }
    return { id: this.#id, event, data: data.join("\n") };
  }
}

/** The events of a stream, as they come. Lines may end in LF, CRLF or CR, and be cut anywhere. */
export async function* serverSentEvents(
  stream: AsyncIterable<Uint8Array>,
  lastEventId = "",
  listener: Listener = {},
): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  const lines = new EventLines(lastEventId, listener);
  let rest = "";
  for await (const bytes of stream) {
    listener.alive?.();
    rest += decoder.decode(bytes, { stream: true });
    // A CR that ends what has come may be half of a CRLF: it waits for what follows.
    const whole = rest.endsWith("\r") ? rest.slice(0, -1) : rest;
    const cut = whole.split(/\r\n|\n|\r/);
    rest = (cut.pop() ?? "") + rest.slice(whole.length);
    for (const line of cut) {
      const event = lines.take(line);
      if (event !== null) yield event;
    }
  }
}
