/** 100,000 metrics in the address space, against as many plain variables of a bare node-opcua server. */
import { median } from '../test/support/measure';
import type { Figures } from './figures';
import { startClient } from './opcua-client';
import { type Grown, type Growth, type RemoteGrowth, startGrowth } from './opcua-growth';

const RUNS_HERE = 3;
const MANY: Growth = { devices: 1_000, perDevice: 100, name: 'metric' };
/** The same number of metrics, of more devices; each has some thirty nodes of its own. */
const SMALL_DEVICES: Growth = { devices: 10_000, perDevice: 10, name: 'metric' };
/** A property tells the unit of each. */
const WITH_UNITS: Growth = { ...MANY, name: 'temperature' };
const AT_ONCE: Growth = { devices: 1_000, perDevice: 10, name: 'metric' };

interface Ours extends Grown {
  /** ms from the connection to the first value that a client read while the nodes were made. */
  readonly firstAnswer: number;
  readonly added: Grown;
}

/** Does something with a process of its own. */
async function inProcess<T>(act: (process: RemoteGrowth) => Promise<T>): Promise<T> {
  const process = startGrowth();
  try {
    return await act(process);
  } finally {
    await process.stop();
  }
}

async function growOurs(growth: Growth, before: number): Promise<Ours> {
  const client = startClient();
  try {
    return await inProcess(async (process) => {
      const url = await process.call('openOurs', {});
      const growing = process.call('growOurs', growth);
      const firstAnswer = await client.call('firstAnswer', { url });
      const grown = await growing;
      const added = await process.call('addToOurs', { growth: AT_ONCE, first: growth.perDevice });
      return { ...grown, heap: grown.heap - before, firstAnswer, added };
    });
  } finally {
    await client.stop();
  }
}

async function growBare(growth: Growth, before: number): Promise<Grown> {
  const grown = await inProcess((process) => process.call('growBare', growth));
  return { ...grown, heap: grown.heap - before };
}

export async function scale(): Promise<Figures> {
  const runs: { ours: Ours; bare: Grown }[] = [];
  // What a server takes before it has devices, MiB.
  const ours = await inProcess((process) => process.call('emptyOurs', {}));
  const bare = await inProcess((process) => process.call('emptyBare', {}));
  for (let run = 0; run < RUNS_HERE; run++)
    runs.push({ bare: await growBare(MANY, bare), ours: await growOurs(MANY, ours) });
  const units = await growOurs(WITH_UNITS, ours);
  const small = { bare: await growBare(SMALL_DEVICES, bare), ours: await growOurs(SMALL_DEVICES, ours) };
  const figure = (of: (run: (typeof runs)[number]) => number): number => median(runs.map(of));
  return {
    title: '100,000 metrics of 1,000 devices made in the address space',
    figures: {
      time: figure(({ ours }) => ours.milliseconds),
      timeBare: figure(({ bare }) => bare.milliseconds),
      ratioTime: figure(({ ours, bare }) => ours.milliseconds / bare.milliseconds),
      heapMiB: figure(({ ours }) => ours.heap),
      heapMiBBare: figure(({ bare }) => bare.heap),
      ratioHeap: figure(({ ours, bare }) => ours.heap / bare.heap),
      loopDelayLongest: Math.max(...runs.map(({ ours }) => ours.loop.longest)),
      loopDelayP99: figure(({ ours }) => ours.loop.p99),
      firstAnswerMeanwhile: figure(({ ours }) => ours.firstAnswer),
      added10000: figure(({ ours }) => ours.added.milliseconds),
      added10000LoopDelayLongest: Math.max(...runs.map(({ ours }) => ours.added.loop.longest)),
      timeWithUnits: units.milliseconds,
      heapMiBWithUnits: units.heap,
      loopDelayLongestWithUnits: units.loop.longest,
      timeOf10000Devices: small.ours.milliseconds,
      ratioTimeOf10000Devices: small.ours.milliseconds / small.bare.milliseconds,
      ratioHeapOf10000Devices: small.ours.heap / small.bare.heap,
      loopDelayLongestOf10000Devices: small.ours.loop.longest,
    },
    must: 'ratioTime and ratioHeap ≤ 1.5; firstAnswerMeanwhile < time; loopDelayLongest ≤ 50, also of 10,000 added at once',
  };
}
