/** How often each address has come lately: a bucket of tokens per address, full after a minute. */

const MINUTE = 60_000;
/** Addresses remembered; beyond, the one that was remembered first is forgotten. */
const MAX_ADDRESSES = 10_000;

interface Bucket {
  tokens: number;
  filled: number;
}

export class AddressRates {
  #perMinute: number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param perMinute 0 = as often as they like */
  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Another rate; all begin anew, so that nobody has to wait by the old one. */
  set perMinute(perMinute: number) {
    if (perMinute === this.#perMinute) return;
    this.#perMinute = perMinute;
    this.#buckets.clear();
  }

  /** @returns whether one more is within the rate */
  take(address: string, now: number): boolean {
    if (this.#perMinute === 0) return true;
    const bucket = this.#buckets.get(address) ?? this.#add(address, now);
    bucket.tokens = this.#tokens(bucket, now);
    bucket.filled = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  /** Forgets those whose bucket is full again: they are like strangers. */
  forgetOld(now: number): void {
    for (const [address, bucket] of this.#buckets)
      if (this.#tokens(bucket, now) >= this.#perMinute) this.#buckets.delete(address);
  }

  #tokens({ tokens, filled }: Bucket, now: number): number {
    return Math.min(this.#perMinute, tokens + ((now - filled) * this.#perMinute) / MINUTE);
  }

  #add(address: string, now: number): Bucket {
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size >= MAX_ADDRESSES && oldest !== undefined) this.#buckets.delete(oldest);
    const bucket: Bucket = { tokens: this.#perMinute, filled: now };
    this.#buckets.set(address, bucket);
    return bucket;
  }
}
