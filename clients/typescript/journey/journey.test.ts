/** What a page does, from the token to the live update, against a platform that runs (`PSIP_URL`, `PSIP_CLIENT`). */

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { Client, PsipProblem, type LiveEvent, type Receipt } from "../src/index.js";

const FIGURES = "organisation,period,measure,numerator,denominator\n";
const MONTHS = Array.from({ length: 12 }, (_, month) => `2025-${String(month + 1).padStart(2, "0")}`);
let client: Client;

before(() => {
  const { PSIP_URL: baseUrl = "", PSIP_CLIENT: told = "" } = process.env;
  const [clientId = "", clientSecret = ""] = told.split(":");
  client = new Client({ baseUrl, credentials: { clientId, clientSecret } });
});

test("figures are sent, waited for, and drawn", async () => {
  const rows = MONTHS.map((month, n) => `RTE,${month},md-arrest,${9 + (n % 3)},5100\n`);

  const receipt = await client.wait(await client.submit(FIGURES + rows.join(""), "measure-counts"));

  assert.deepEqual([receipt.status, receipt.rows.accepted], ["accepted", 12]);
  const chart = await until(() => client.chart("md-arrest", "RTE"), (found) => found.points.length === 12);
  assert.deepEqual(chart.points.map((point) => point.period), MONTHS);
  assert.equal(chart.points[1]?.numerator, 10);
  assert.notEqual(chart.summary, "");
  const series = await client.series("md-arrest", "RTE", { from: "2025-03", to: "2025-04" });
  assert.deepEqual(series.items.map((item) => item.numerator), [11, 9]);
});

test("what happens is told as it happens, and from where one left off", async () => {
  const seen: LiveEvent[] = [];
  let sent: Promise<Receipt> | undefined;
  const send = (): unknown => (sent ??= client.submit(`${FIGURES}RTE,2024-05,md-arrest,9,5100\n`, "measure-counts"));

  for await (const one of client.live({ connected: () => void send() })) {
    seen.push(one);
    const id = (await sent)?.id;
    const dealtWith = seen.some((other) => other.event === "submission.completed" && other.data.id === id);
    if (dealtWith && seen.some((other) => other.event === "cells.changed" && other.data.periods.includes("2024-05"))) break;
  }

  const updates = client.live({ lastEventId: seen.at(-2)?.id ?? "" });
  const again = await updates.next();
  await updates.return(); // an open stream would keep the process alive
  assert.equal(again.value?.id, seen.at(-1)?.id);
});

test("a row that is wrong is told of with its line, and mended", async () => {
  const sent = await client.submit(`${FIGURES}RTE,2024-01,md-arrest,nine,5100\n`, "measure-counts", { dry_run: true });

  const [fault] = sent.faults;
  assert.deepEqual([sent.status, fault?.column, fault?.found, fault?.rows], ["rejected", "numerator", "nine", [2]]);
});

test("nothing to report is a return too", async () => {
  const receipt = await client.submit(null, "births", { organisation: "RTE", period: "2020-02" });

  assert.deepEqual([receipt.status, receipt.returns[0]?.kind], ["accepted", "nil"]);
});

test("somebody else's organisation is a problem with a name", async () => {
  const sent = client.submit(`${FIGURES}RM1,2024-01,md-arrest,9,5100\n`, "measure-counts");

  await assert.rejects(sent, (error) => error instanceof PsipProblem && error.slug === "not-your-organisation");
});

test("a table, a calculation and a page of a list come with their types", async () => {
  const calendar = await client.get("/v1/calendar", {
    query: { feed: "births", organisation: "RTE", from: "2020-02", to: "2020-02" },
  });
  const spc = await client.post("/v1/statistics/spc", { series: [{ id: "a", labels: ["1", "2"], values: [1, 2] }] }, {});
  const trusts = await client.get("/v1/organisations", { query: { kind: "trust", limit: 2 } });

  assert.deepEqual(calendar.items.map((one) => one.period), ["2020-02"]);
  assert.equal(spc.series[0]?.points.length, 2);
  assert.equal(trusts.items.length, 2);
});

/** The first answer that is so: figures follow a submission within seconds. */
async function until<T>(ask: () => Promise<T>, holds: (found: T) => boolean): Promise<T> {
  for (;;) {
    try {
      const found = await ask();
      if (holds(found)) return found;
    } catch (error) {
      if (!(error instanceof PsipProblem && error.status === 404)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
