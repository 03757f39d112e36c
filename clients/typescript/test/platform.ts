/** A server that stands in for the platform: it answers as it is told and remembers what it was sent. */

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

import { Client, type ClientOptions } from "../src/index.js";

export interface Seen {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export type Told = (response: ServerResponse, seen: Seen) => void;

export class Platform {
  readonly answers: Told[] = [];
  readonly seen: Seen[] = [];
  readonly slept: number[] = [];
  tokens = 0;
  seconds = 600;

  private constructor(private readonly server: ReturnType<typeof createServer>) {}

  static async start(test: TestContext): Promise<Platform> {
    const server = createServer();
    const one = new Platform(server);
    server.on("request", (request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        one.#answer({ method, url, headers, body: Buffer.concat(parts).toString() }, response);
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    test.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return one;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  client(options: Partial<ClientOptions> = {}): Client {
    const sleep = async (milliseconds: number): Promise<void> => void this.slept.push(milliseconds);
    return new Client({ baseUrl: this.url, credentials: { clientId: "me", clientSecret: "s:1" }, sleep, ...options });
  }

  #answer(seen: Seen, response: ServerResponse): void {
    if (seen.url === "/oauth2/token") {
      json({ access_token: `token-${++this.tokens}`, expires_in: this.seconds })(response, seen);
      return;
    }
    this.seen.push(seen);
    const told = this.answers.shift();
    if (told === undefined) throw new Error(`no answer is left for ${seen.method} ${seen.url}`);
    told(response, seen);
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Told {
  return (response) => {
    response.writeHead(status, { "Content-Type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

/** It was done, and there is nothing to say of it. */
export function nothing(): Told {
  return (response) => void response.writeHead(204).end();
}

export function busy(status: number, headers: Record<string, string> = {}): Told {
  return json({ type: "/problems/too-many-requests", title: "Busy.", detail: "later" }, status, headers);
}

/** The connection is lost before there is an answer. */
export const lost: Told = (response) => void response.socket?.destroy();
