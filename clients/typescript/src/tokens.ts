/** Access tokens: bought with a client's id and secret, kept until shortly before they end, bought once at a time. */

/** Whoever gives tokens. A browser must not hold a secret: there, ask your own server for a token. */
export interface TokenSource {
  /** A token that is good for a while yet, and another than one that was refused. */
  token(insteadOf?: string): Promise<string>;
}

/** A token as the platform gives it. */
export interface GivenToken {
  readonly access_token: string;
  /** In seconds. */
  readonly expires_in: number;
}

const RENEW_SECONDS = 30;

/** Keeps a token until it is nearly over, however many ask for it at once. */
export class KeptToken implements TokenSource {
  #token = "";
  #ends = 0;
  #coming: Promise<string> | null = null;

  constructor(
    private readonly buy: () => Promise<GivenToken>,
    private readonly now: () => number = Date.now,
  ) {}

  async token(insteadOf?: string): Promise<string> {
    if (this.#token !== "" && this.#token !== insteadOf && this.now() < this.#ends) {
      return this.#token;
    }
    this.#coming ??= this.#renew().finally(() => (this.#coming = null));
    return this.#coming;
  }

  async #renew(): Promise<string> {
    const given = await this.buy();
    const early = Math.min(RENEW_SECONDS, given.expires_in / 2);
    this.#token = given.access_token;
    this.#ends = this.now() + (given.expires_in - early) * 1000;
    return this.#token;
  }
}
