/** Sending again: only what may be sent again, and when the platform says. */

import { secondsAsked } from "./problem.js";

/** The request was not carried out; it may be sent again when `Retry-After` says. */
const LATER: ReadonlySet<number> = new Set([429, 503]);
/** It may have been carried out: it may be sent again where that does no harm. */
const UNCERTAIN: ReadonlySet<number> = new Set([502, 504]);

export interface Patience {
  /** How often in all. */
  readonly attempts: number;
  /** The longest pause to agree to, in milliseconds; what asks for a longer one is answered at once. */
  readonly longestPause: number;
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** Try until there is an answer to keep; what is not `harmless` is repeated only if it was not carried out. */
export async function repeated(
  attempt: () => Promise<Response>,
  patience: Patience,
  harmless: boolean,
  signal?: AbortSignal,
): Promise<Response> {
  for (let number = 1; ; number++) {
    const last = number >= patience.attempts;
    try {
      const response = await attempt();
      const again = LATER.has(response.status) || (harmless && UNCERTAIN.has(response.status));
      const asked = secondsAsked(response);
      const pause = asked === null ? growing(number) : asked * 1000;
      if (!again || last || pause > patience.longestPause) return response;
      await response.body?.cancel();
      await patience.sleep(pause, signal);
    } catch (error) {
      if (!harmless || last || signal?.aborted) throw error;
      await patience.sleep(growing(number), signal);
    }
  }
}

/** Milliseconds before the next attempt: longer each time, and not in step with other clients. */
function growing(number: number): number {
  return Math.min(200 * 2 ** number, 5_000) * (0.5 + Math.random() / 2);
}

/** Resolves after a while; rejects when the signal ends it. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
