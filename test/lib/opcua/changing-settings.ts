import { Emitter, type Unsubscribe } from '../../../lib/model';

/** Settings of a part of the server, as a test changes them. */
export class ChangingSettings<Settings extends object> {
  current: Settings;
  readonly #changed = new Emitter<void>((error) => {
    throw error;
  });

  constructor(settings: Settings) {
    this.current = settings;
  }

  onChange(listener: () => void): Unsubscribe {
    return this.#changed.on(listener);
  }

  get listenerCount(): number {
    return this.#changed.listenerCount;
  }

  change(more: Partial<Settings>): void {
    this.current = { ...this.current, ...more };
    this.#changed.emit();
  }
}
