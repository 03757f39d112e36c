import assert from "node:assert/strict";
import { test } from "node:test";

import { PsipProblem } from "../src/index.js";
import { busy, json, lost, nothing, Platform } from "./platform.js";

const RECEIPT = { id: "s1", status: "accepted" };

test("a token is bought with the client's id and secret, once, however many ask", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(json({}), json({}), json({}));
  const client = platform.client();

  await Promise.all(["a", "b", "c"].map((id) => client.chart(id, "RGT")));

  assert.equal(platform.tokens, 1);
  assert.deepEqual(new Set(platform.seen.map((one) => one.headers.authorization)), new Set(["Bearer token-1"]));
});

test("a token is renewed before it ends", async (t) => {
  const platform = await Platform.start(t);
  platform.seconds = 0;
  platform.answers.push(json({}), json({}));
  const client = platform.client();

  await client.chart("m", "RGT");
  await client.chart("m", "RGT");

  assert.deepEqual(platform.seen.map((one) => one.headers.authorization), ["Bearer token-1", "Bearer token-2"]);
});

test("a token that was ended is renewed once, and a second refusal is told", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(busy(401), json({ name: "A" }), busy(401), busy(401));
  const client = platform.client();

  assert.equal((await client.chart("m", "RGT")).name, "A");
  await assert.rejects(client.chart("m", "RGT"), { status: 401 });

  assert.equal(platform.tokens, 3);
});

test("whoever gives tokens may be somebody else", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(json({}));

  await platform.client({ credentials: { token: async () => "of-my-server" } }).chart("m", "RGT");

  assert.equal(platform.seen[0]?.headers.authorization, "Bearer of-my-server");
  assert.equal(platform.tokens, 0);
});

test("an address is made of its parts, and what is not given is left out", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(json({}), json({ items: [] }));
  const client = platform.client();

  await client.chart("m/../x", "R?T", { from: "2026-01", stratum: null });
  await client.series("m", "RGT", { by: "imd_quintile" });

  assert.deepEqual(
    platform.seen.map((one) => one.url),
    ["/v1/charts/m%2F..%2Fx/R%3FT?from=2026-01", "/v1/series?by=imd_quintile&measure=m&organisation=RGT"],
  );
});

test("every item of a list is had, page after page", async (t) => {
  const platform = await Platform.start(t);
  const page = (next_cursor: string | null, ...codes: string[]) =>
    json({ items: codes.map((code) => ({ code })), next_cursor });
  platform.answers.push(page("more", "QUE", "QH8"), page("on"), page(null, "QJG"));

  const codes: string[] = [];
  for await (const one of platform.client().each("/v1/organisations", { query: { kind: "icb" } })) codes.push(one.code);

  assert.deepEqual(codes, ["QUE", "QH8", "QJG"]);
  assert.deepEqual(
    platform.seen.map((one) => one.url),
    ["", "&cursor=more", "&cursor=on"].map((place) => `/v1/organisations?kind=icb${place}`),
  );
});

test("what is there is changed, in part or as a whole, and taken away", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(json({ id: "w1" }), json({ id: "e1" }), nothing());
  const client = platform.client();

  await client.patch("/v1/webhooks/{id}", { description: "new" }, { path: { id: "w1" } });
  await client.put("/v1/enrolments/{enrolment}", { stage: "testing" }, { path: { enrolment: "e1" } });
  assert.equal(await client.delete("/v1/webhooks/{id}", { path: { id: "w1" } }), null);

  assert.deepEqual(
    platform.seen.map((one) => [one.method, one.url, one.headers["content-type"], one.body]),
    [
      ["PATCH", "/v1/webhooks/w1", "application/json", '{"description":"new"}'],
      ["PUT", "/v1/enrolments/e1", "application/json", '{"stage":"testing"}'],
      ["DELETE", "/v1/webhooks/w1", undefined, ""],
    ],
  );
});

test("rows, text, bytes and nothing are sent as what they are", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(json(RECEIPT), json(RECEIPT), json(RECEIPT), json(RECEIPT));
  const client = platform.client();

  await client.submit([{ a: 1 }, { a: null }], "births");
  await client.submit("a\n1\n", "births", { dry_run: true, wait: 3 });
  await client.submit(new TextEncoder().encode("PAR1"), "births", { contentType: "application/vnd.apache.parquet" });
  await client.submit(null, "births", { organisation: "RGT", period: "2026-01" });

  assert.deepEqual(
    platform.seen.map((one) => [one.url, one.headers["content-type"], one.body]),
    [
      ["/v1/submissions?feed=births", "application/x-ndjson", '{"a":1}\n{"a":null}'],
      ["/v1/submissions?dry_run=true&feed=births", "text/csv", "a\n1\n"],
      ["/v1/submissions?feed=births", "application/vnd.apache.parquet", "PAR1"],
      ["/v1/submissions?organisation=RGT&period=2026-01&feed=births&nil=true", undefined, ""],
    ],
  );
  assert.equal(platform.seen[1]?.headers.prefer, "wait=3");
});

for (const status of [429, 503]) {
  test(`a platform that is too busy (${status}) is asked again when it says`, async (t) => {
    const platform = await Platform.start(t);
    platform.answers.push(busy(status, { "Retry-After": "7" }), json(RECEIPT));

    await platform.client().submit("a\n", "births");

    assert.deepEqual(platform.slept, [7_000]);
  });
}

test("a submission that the connection lost is sent again with the same key", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(lost, busy(502), json(RECEIPT));

  await platform.client().submit("a\n", "births");

  const keys = platform.seen.map((one) => one.headers["idempotency-key"]);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
});

test("what changes something and has no key is not sent again when it may have been carried out", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(busy(502));

  const changed = platform.client().patch("/v1/webhooks/{id}", { enabled: false }, { path: { id: "w1" } });

  await assert.rejects(changed, { status: 502 });
  assert.equal(platform.seen.length, 1);
});

test("what may have been made is sent again with the key by which it is made once", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(busy(503), lost, busy(502), json({ id: "a" }, 201), json({ id: "b" }, 201));
  const client = platform.client();
  const note = { kind: "pdsa", organisation: "RGT", on: "2026-01-01", text: "begun" } as const;

  await client.post("/v1/annotations", note, {});
  await client.post("/v1/annotations", note, {});

  const keys = platform.seen.map((one) => one.headers["idempotency-key"]);
  assert.equal(keys.length, 5);
  assert.equal(new Set(keys.slice(0, 4)).size, 1);
  assert.equal(new Set(keys).size, 2);
});

test("what is not JSON is had as it is", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push((response) => response.writeHead(200, { "Content-Type": "image/svg+xml" }).end("<svg/>"));

  const path = { measure: "m", organisation: "RGT" };
  const picture = await platform.client().read("/v1/charts/{measure}/{organisation}", { path, query: { format: "svg" } });

  assert.deepEqual([picture.type, await picture.text()], ["image/svg+xml", "<svg/>"]);
});

test("a number that is none is named, and not sent as what is missing", async (t) => {
  const platform = await Platform.start(t);

  const sent = platform.client().submit([{ falls: 3 }, { falls: NaN }], "care-home-weekly");

  await assert.rejects(sent, { message: "row 2: falls is NaN; null is what is missing" });
  assert.equal(platform.seen.length, 0);
});

test("a pause that is too long to agree to is told at once", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(busy(429, { "Retry-After": "3600" }));

  await assert.rejects(platform.client().chart("m", "RGT"), { retryAfter: 3600, slug: "too-many-requests" });

  assert.deepEqual(platform.slept, []);
});

test("a platform that stays busy is told of after the last attempt", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(busy(503), busy(503));

  await assert.rejects(platform.client({ attempts: 2 }).chart("m", "RGT"), { status: 503 });

  assert.equal(platform.slept.length, 1);
});

test("a refusal is an error with everything the platform said", async (t) => {
  const platform = await Platform.start(t);
  const errors = [{ parameter: "perod", message: "unknown parameter" }];
  const told = { type: "/problems/invalid-request", title: "Not right.", detail: "perod", request_id: "r1", errors };
  platform.answers.push(json(told, 422));

  const refused: unknown = await platform.client().chart("m", "RGT").catch((error: unknown) => error);

  assert.ok(refused instanceof PsipProblem);
  assert.deepEqual(
    [refused.status, refused.slug, refused.title, refused.detail, refused.requestId, refused.errors],
    [422, "invalid-request", "Not right.", "perod", "r1", errors],
  );
});

test("an answer from something else on the way is an error too", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push((response) => response.writeHead(403).end("<h1>No</h1>"));

  await assert.rejects(platform.client().chart("m", "RGT"), { status: 403, slug: "unknown", detail: "<h1>No</h1>" });
});

test("a receipt is waited for until the platform has finished", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(json({ ...RECEIPT, status: "processing" }, 202), json({ ...RECEIPT, status: "processing" }));
  platform.answers.push(json(RECEIPT));
  const client = platform.client();

  const receipt = await client.wait(await client.submit("a\n", "births"));

  assert.equal(receipt.status, "accepted");
  assert.deepEqual(platform.seen.map((one) => one.url).slice(1), ["/v1/submissions/s1", "/v1/submissions/s1"]);
});

test("waiting has an end", async (t) => {
  const platform = await Platform.start(t);
  platform.answers.push(json({ ...RECEIPT, status: "processing" }, 202));
  const client = platform.client();

  const waited = client.wait(await client.submit("a\n", "births"), { timeout: 0 });

  await assert.rejects(waited, /still being processed/);
});

test("what the reference does not know does not compile", async (t) => {
  const platform = await Platform.start(t);
  const client = platform.client();
  // @ts-expect-error there is no such address
  void (() => client.get("/v1/nothing", {}));
  // @ts-expect-error a series is of a measure
  void (() => client.get("/v1/series", { query: { organisation: "RGT" } }));
  // @ts-expect-error a parameter that is misspelt
  void (() => client.chart("m", "RGT", { form: "2026-01" }));
  // @ts-expect-error receipts have no such status
  void (() => client.get("/v1/submissions/{submission_id}", { path: { submission_id: "" } }).then((r) => r.status === "done"));
});
