/** How many calls may be under way at once, over all devices: first come, first served. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(size: number) {
    this.#free = size;
  }

  /** Takes a place if there is one at once. The function returned gives it back. */
  tryTake(): (() => void) | undefined {
    if (this.#free === 0) return undefined;
    this.#free--;
    return this.#givingBack();
  }

  /** Waits for a place. The function returned gives it back. */
  async take(): Promise<() => void> {
    const place = this.tryTake();
    if (place !== undefined) return place;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.#givingBack();
  }

  /** Runs work when there is a place for it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const giveBack = await this.take();
    try {
      return await work();
    } finally {
      giveBack();
    }
  }

  #givingBack(): () => void {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    };
  }
}
