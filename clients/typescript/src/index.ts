/** The client of the patient-safety improvement platform. */

export {
  Client,
  type Chart,
  type ClientOptions,
  type Receipt,
  type Row,
  type Schemas,
  type Series,
  type SubmitOptions,
} from "./client.js";
export type { components, operations, paths } from "./generated.js";
export type { LiveData, LiveEvent, LiveKind, LiveOptions } from "./live.js";
export { PsipProblem, type Place } from "./problem.js";
export { EventLines, serverSentEvents, type ServerSentEvent } from "./sse.js";
export { KeptToken, type GivenToken, type TokenSource } from "./tokens.js";
