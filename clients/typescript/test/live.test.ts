import assert from "node:assert/strict";
import { test } from "node:test";

import type { LiveEvent } from "../src/index.js";
import { busy, Platform, type Told } from "./platform.js";

function streamed(text: string, end = true): Told {
  return (response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(text);
    if (end) response.end();
  };
}

function event(id: number): string {
  return `id: ${id}\nevent: cells.changed\ndata: {"number":${id}}\n\n`;
}

async function take(count: number, updates: AsyncGenerator<LiveEvent, void>): Promise<string[]> {
  const found: string[] = [];
  for await (const one of updates) {
    found.push(one.id);
    if (found.length === count) break;
  }
  return found;
}

test("a stream that ends is connected anew, from the event after the last", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(streamed(event(1) + event(2)), streamed(": nothing new\n\n"), streamed(event(3), false));

  const ids = await take(3, platform.client().live());

  assert.deepEqual(ids, ["1", "2", "3"]);
  assert.deepEqual(platform.seen.map((one) => one.headers["last-event-id"]), [undefined, "2", "2"]);
  assert.equal(platform.seen[0]?.headers.accept, "text/event-stream");
});

test("what is not for whoever listens is passed over and not asked for again", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(streamed(`${event(1)}: beat\nid: 5\n\n`), streamed(event(6), false));

  await take(2, platform.client().live());

  assert.equal(platform.seen[1]?.headers["last-event-id"], "5");
});

test("updates go on from where they were left another day", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(streamed(event(8), false));

  await take(1, platform.client().live({ lastEventId: "7" }));

  assert.equal(platform.seen[0]?.headers["last-event-id"], "7");
});

test("a connection that breaks within an event loses nothing", async (t) => {
  const platform = await Platform.start(t);
  const broken: Told = (response, seen) => {
    streamed(`${event(1)}id: 2\ndata: {"num`, false)(response, seen);
    setImmediate(() => response.socket?.destroy());
  };
  platform.answers.push(broken, streamed(event(2), false));

  assert.deepEqual(await take(2, platform.client().live()), ["1", "2"]);
  assert.equal(platform.seen.at(-1)?.headers["last-event-id"], "1");
});

test("the pause before connecting anew is the one the platform asks for, and grows while nothing comes", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(streamed("retry: 40\n\n"), streamed(""), streamed(event(1)), streamed(event(2), false));

  await take(2, platform.client().live());

  assert.deepEqual(platform.slept, [40, 80, 40]);
});

test("a stream that has fallen silent is taken for dead", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(streamed(event(1), false), streamed(event(2), false));
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const updates = platform.client().live({ silence: 5_000 });
  await updates.next();

  const next = updates.next();
  t.mock.timers.tick(5_000);

  assert.equal((await next).value?.id, "2");
  await updates.return();
});

test("a refusal is told", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(busy(403));

  await assert.rejects(platform.client().live().next(), { status: 403 });
});

test("whoever listens says when it is enough", async (t) => {
  const platform = await Platform.start(t);
  const enough = new AbortController();
  platform.answers.push(streamed(event(1), false));

  const seen: string[] = [];
  for await (const one of platform.client().live({ signal: enough.signal })) {
    seen.push(one.id);
    enough.abort();
  }

  assert.deepEqual(seen, ["1"]);
});

test("whoever listens is told when the connection stands", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(streamed(event(1), false));
  let stood = 0;

  await take(1, platform.client().live({ connected: () => stood++ }));

  assert.equal(stood, 1);
});
