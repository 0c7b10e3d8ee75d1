/**
 * A process with an OPC UA server, ours or a bare one, and the devices that feed it. It measures its own load; nothing
 * else runs in it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { METRICS_PER_DEVICE } from '../test/support/history-database';
import { type LoopDelay, measured } from '../test/support/measure';
import { offer, Remote } from '../test/support/remote';
import { openBare } from './opcua-bare';
import { openOurs } from './opcua-house';

export type Kind = 'ours' | 'bare';

/** One server with its devices. */
export interface Plant {
  readonly url: string;
  /** Ten of each device. */
  readonly nodeIds: readonly string[];
  /** What a device sends. */
  take(device: number, values: Readonly<Record<string, number>>): void;
  close(): Promise<void>;
}

export interface Load {
  /** Of one core, 0 to 1. */
  readonly cpu: number;
  readonly loop: LoopDelay;
}

export interface Feeding {
  readonly devices: number;
  readonly uplinksPerSecond: number;
  readonly seconds: number;
}

/** ms between two looks at the clock; a whole number of uplinks comes with each. */
const TICK = 10;

let plant: Plant | undefined;
let turn = 0;
const folder = mkdtempSync(join(tmpdir(), 'lorua-bench-'));

function plantOf(): Plant {
  if (plant === undefined) throw new Error('there is no server yet');
  return plant;
}

/** ms UTC with fractions, the same in all processes of a machine. */
export function preciseNow(): number {
  return performance.timeOrigin + performance.now();
}

async function loadOf(run: () => Promise<void>): Promise<Load> {
  const before = process.cpuUsage();
  const { seconds, loop } = await measured(run);
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / 1e6 / seconds, loop };
}

const services = {
  async open({ kind, devices }: { kind: Kind; devices: number }): Promise<{ url: string; nodeIds: readonly string[] }> {
    const open = kind === 'ours' ? openOurs : openBare;
    plant = await open(folder, devices);
    // Everything has a value before anybody looks.
    for (let device = 0; device < devices; device++) plant.take(device, valuesAt(preciseNow()));
    await pause(500);
    const { url, nodeIds } = plant;
    return { url, nodeIds };
  },

  /** Uplinks of one device after the other, evenly; each value is the instant at which its event arrived. */
  async feed({ devices, uplinksPerSecond, seconds }: Feeding): Promise<Load & { readonly samples: number }> {
    const fed = plantOf();
    let sent = 0;
    const load = await loadOf(async () => {
      const begun = performance.now();
      for (let due = 0; due < uplinksPerSecond * seconds; ) {
        await pause(TICK);
        due = Math.min(((performance.now() - begun) / 1_000) * uplinksPerSecond, uplinksPerSecond * seconds);
        for (; sent < Math.floor(due); sent++) fed.take(turn++ % devices, valuesAt(preciseNow()));
      }
    });
    return { ...load, samples: sent * METRICS_PER_DEVICE };
  },

  idle: ({ seconds }: { seconds: number }): Promise<Load> => loadOf(() => pause(seconds * 1_000)),
} as const;

/** No two are alike, so that each is a change. */
function valuesAt(instant: number): Record<string, number> {
  return Object.fromEntries(Array.from({ length: METRICS_PER_DEVICE }, (_, index) => [`metric_${index}`, instant]));
}

export type RemotePlant = Remote<typeof services>;

export function startPlant(): RemotePlant {
  return new Remote(__filename);
}

if (require.main === module)
  void offer(services, async () => {
    await plant?.close();
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  });
