import assert from "node:assert/strict";
import { test } from "node:test";

import { serverSentEvents, type ServerSentEvent } from "../src/index.js";

async function* cutAt(bytes: Uint8Array, ...places: number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const place of [...places, bytes.length]) {
    yield bytes.subarray(from, place);
    from = place;
  }
}

async function read(text: string, ...places: number[]): Promise<ServerSentEvent[]> {
  const found: ServerSentEvent[] = [];
  for await (const one of serverSentEvents(cutAt(new TextEncoder().encode(text), ...places))) found.push(one);
  return found;
}

test("an event has its id, its kind and its data", async () => {
  const text = 'id: 7\nevent: cells.changed\ndata: {"a":1}\n\n';

  assert.deepEqual(await read(text), [{ id: "7", event: "cells.changed", data: '{"a":1}' }]);
});

test("wherever the stream is cut, and however lines end, the events are the same", async () => {
  const text = ": hello\n\nid: 1\nevent: a\ndata: é\ndata:  two\n\ndata\n\nid: 2\ndata: last\n\n";
  const wanted = [
    { id: "1", event: "a", data: "é\n two" },
    { id: "1", event: "message", data: "" },
    { id: "2", event: "message", data: "last" },
  ];
  for (const ending of ["\n", "\r\n", "\r"]) {
    // A CR at the very end may be half of a CRLF, so the last event of CR lines needs something after it.
    const written = text.replaceAll("\n", ending) + (ending === "\r" ? ": more\r\n" : "");
    const length = new TextEncoder().encode(written).length;
    for (let place = 0; place <= length; place++) {
      assert.deepEqual(await read(written, place), wanted, `cut at ${place}, lines ending in ${JSON.stringify(ending)}`);
    }
    const everywhere = Array.from({ length }, (_, place) => place);
    assert.deepEqual(await read(written, ...everywhere), wanted);
  }
});

test("an event that the end of the stream cuts off is not one", async () => {
  assert.deepEqual(await read("id: 1\ndata: half\n"), []);
});

test("a heartbeat, a field that nobody knows and an id with a nought in it are passed over", async () => {
  assert.deepEqual(await read(": beat\n\nfoo: bar\nid: a\0b\ndata: 1\n\n"), [{ id: "", event: "message", data: "1" }]);
});

test("a mark of byte order is not part of the first line", async () => {
  assert.deepEqual(await read("\uFEFFdata: 1\n\n"), [{ id: "", event: "message", data: "1" }]);
});

test("the platform says how long to pause, and anything that comes is a sign of life", async () => {
  const told: unknown[] = [];
  const listener = { alive: () => told.push("alive"), retry: (asked: number) => told.push(asked) };
  const stream = cutAt(new TextEncoder().encode("retry: 250\nretry: soon\n: beat\n"));

  for await (const _ of serverSentEvents(stream, "", listener)) assert.fail();

  assert.deepEqual(told, ["alive", 250]);
});
