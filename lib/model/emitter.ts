/** A typed event source. A listener that throws never disturbs its neighbours or the one who emits. */
export type Unsubscribe = () => void;

export class Emitter<Event> {
  readonly #listeners = new Set<(event: Event) => void>();
  readonly #onError: (error: unknown) => void;

  /** @param onError told about every listener that threw */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Adds a listener; the returned function removes it and is idempotent. */
  on(listener: (event: Event) => void): Unsubscribe {
    // Wrapped, so that the same function given twice is two listeners with two lives.
    const entry = (event: Event): void => listener(event);
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  emit(event: Event): void {
    // A copy: a listener may remove itself or add others while it is called.
    for (const listener of Array.from(this.#listeners)) {
      try {
        listener(event);
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }
}
