/** Lets at most so many calls run at once, first come first served: ChirpStack has ten database connections by default. */
export class CallLimiter {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Waits for a slot. The function returned gives it back and is idempotent.
   * @param options.first go before all who wait: for the probe that decides for everybody
   * @throws the reason of the signal if that aborts while waiting
   */
  acquire(options: { signal: AbortSignal; first?: boolean }): Promise<() => void> {
    const { signal, first = false } = options;
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const enter = (): void => {
        signal.removeEventListener('abort', leave);
        this.#running++;
        let held = true;
        resolve(() => {
          if (!held) return;
          held = false;
          this.#running--;
          this.#waiting.shift()?.();
        });
      };
      const leave = (): void => {
        const index = this.#waiting.indexOf(enter);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(signal.reason as Error);
      };
      if (this.#running < this.#limit) {
        enter();
        return;
      }
      signal.addEventListener('abort', leave, { once: true });
      if (first) this.#waiting.unshift(enter);
      else this.#waiting.push(enter);
    });
  }
}
