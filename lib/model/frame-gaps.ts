/** Uplinks of a device that never arrived, counted by the gaps in its frame counter. */

/** A greater jump is no loss of frames but another count: no network server took more (TS001 1.0 §4.3.1.5). */
const MAX_FCNT_GAP = 16_384;
/** Gaps that are remembered, so that frames that come late can fill them. */
const MAX_GAPS = 64;
const MAX_UINT32 = 0xffff_ffff;

interface Gap {
  /** First and last counter that is missing. */
  readonly from: number;
  readonly to: number;
}

/**
 * Follows the uplink frame counter of one device. What is missing counts as lost until it comes after all (replayed
 * after an outage, or out of order). A device that joins or starts again counts anew, and so does this: frames before
 * the first one heard since are nobody's loss that could be proved.
 */
export class FrameGaps {
  #lost = 0;
  #last: { readonly counter: number; readonly time: number } | undefined;
  #gaps: Gap[] = [];

  /** Frames that are missing, of all counts so far. */
  get lost(): number {
    return this.#lost;
  }

  /** The device joined: its counters begin anew (TS001 §6.2). Uplinks that were sent before it are late ones. */
  joined(time: number): void {
    if (this.#last === undefined || time < this.#last.time) return;
    this.#last = undefined;
    this.#gaps = [];
  }

  /**
   * Takes the counter of one uplink.
   * @param time of the uplink, ms UTC
   */
  accept(counter: number, time: number): void {
    if (!Number.isInteger(counter) || counter < 0 || counter > MAX_UINT32) return;
    const last = this.#last;
    if (last === undefined) {
      this.#last = { counter, time };
      return;
    }
    if (time < last.time) {
      // Late: it fills a gap, or it is of a count that is over.
      if (counter < last.counter) this.#fill(counter);
      return;
    }
    if (counter === last.counter) {
      this.#last = { counter, time };
      return;
    }
    if (counter < last.counter) {
      // Received at the same instant or later and yet behind: out of order if it was missing, else a new count.
      if (!this.#fill(counter)) this.#restart(counter, time);
      return;
    }
    const missing = counter - last.counter - 1;
    if (missing >= MAX_FCNT_GAP) {
      this.#restart(counter, time);
      return;
    }
    if (missing > 0) {
      this.#lost = Math.min(this.#lost + missing, MAX_UINT32);
      this.#gaps.push({ from: last.counter + 1, to: counter - 1 });
      if (this.#gaps.length > MAX_GAPS) this.#gaps.shift();
    }
    this.#last = { counter, time };
  }

  #restart(counter: number, time: number): void {
    this.#gaps = [];
    this.#last = { counter, time };
  }

  /** @returns whether the frame was missing */
  #fill(counter: number): boolean {
    const index = this.#gaps.findIndex(({ from, to }) => from <= counter && counter <= to);
    const gap = this.#gaps[index];
    if (gap === undefined) return false;
    const rest: Gap[] = [
      { from: gap.from, to: counter - 1 },
      { from: counter + 1, to: gap.to },
    ].filter(({ from, to }) => from <= to);
    this.#gaps.splice(index, 1, ...rest);
    this.#lost--;
    return true;
  }
}
