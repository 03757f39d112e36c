/** One place in the request that is wrong. */
export interface Place {
  /** Where in the body (JSON Pointer). */
  readonly pointer?: string;
  /** Which parameter. */
  readonly parameter?: string;
  readonly message: string;
}

/**
 * The platform's answer was a problem (RFC 9457).
 *
 * Show `title` and `detail` to people; decide by `slug`, which never changes; give `requestId` to whoever runs the
 * platform. `retryAfter` is in seconds, where the platform said when to come again.
 */
export class PsipProblem extends Error {
  override readonly name = "PsipProblem";

  constructor(
    readonly status: number,
    readonly slug: string,
    readonly title: string,
    readonly detail: string,
    readonly errors: readonly Place[] = [],
    readonly requestId: string | null = null,
    readonly retryAfter: number | null = null,
  ) {
    super(detail && detail !== title ? `${status} ${title} ${detail}` : `${status} ${title}`);
  }

  /** The problem that an answer tells of, whether or not the platform itself wrote it. */
  static async of(response: Response): Promise<PsipProblem> {
    const text = await response.text().catch(() => "");
    const told = objectIn(text);
    const type = typeof told.type === "string" ? told.type : "";
    return new PsipProblem(
      response.status,
      type.slice(type.lastIndexOf("/") + 1) || String(told.error ?? "unknown"),
      String(told.title ?? (response.statusText || "The request failed")),
      String(told.detail ?? told.error_description ?? text.slice(0, 300)),
      Array.isArray(told.errors) ? (told.errors as Place[]) : [],
      typeof told.request_id === "string" ? told.request_id : response.headers.get("X-Request-ID"),
      secondsAsked(response),
    );
  }
}

/** The seconds that `Retry-After` asks for; null where it is not there. */
export function secondsAsked(response: Response): number | null {
  const told = response.headers.get("Retry-After") ?? "";
  return /^\d+$/.test(told) ? Number(told) : null;
}

function objectIn(text: string): Record<string, unknown> {
  try {
    const told: unknown = JSON.parse(text);
    return typeof told === "object" && told !== null ? (told as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
