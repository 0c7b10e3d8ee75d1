/**
 * OPC UA: what a client sees of ours, against a bare node-opcua server that is fed the same values. Servers and client
 * are processes of their own; ours and the bare one are measured in turn.
 */
import { median } from '../test/support/measure';
import { type Figures, RUNS } from './figures';
import { type RemoteClient, startClient } from './opcua-client';
import { type Kind, type RemotePlant, startPlant } from './opcua-plant';

const DEVICES = 1_000;
const KINDS = ['bare', 'ours'] as const;

interface Side {
  readonly plant: RemotePlant;
  readonly nodeIds: readonly string[];
}

interface Pair {
  readonly client: RemoteClient;
  readonly sides: Readonly<Record<Kind, Side>>;
}

/** Both servers, with a session each. */
async function withBoth<T>(devices: number, run: (pair: Pair) => Promise<T>): Promise<T> {
  const client = startClient();
  const plants = { bare: startPlant(), ours: startPlant() };
  try {
    const open = async (kind: Kind): Promise<Side> => {
      const { url, nodeIds } = await plants[kind].call('open', { kind, devices });
      await client.call('connect', { name: kind, url });
      return { plant: plants[kind], nodeIds };
    };
    const sides = { bare: await open('bare'), ours: await open('ours') };
    return await run({ client, sides });
  } finally {
    await client.stop();
    await Promise.all([plants.bare.stop(), plants.ours.stop()]);
  }
}

/** Measures both in turn; the first run warms up and does not count. */
async function inTurn<T>(runs: number, run: (kind: Kind) => Promise<T>): Promise<Readonly<Record<Kind, readonly T[]>>> {
  const results: Record<Kind, T[]> = { bare: [], ours: [] };
  for (let number = 0; number <= runs; number++)
    for (const kind of KINDS) {
      const result = await run(kind);
      if (number > 0) results[kind].push(result);
    }
  return results;
}

function ratio(results: Readonly<Record<Kind, readonly number[]>>): number {
  return median(results.ours.map((ours, run) => ours / (results.bare[run] ?? Number.NaN)));
}

function each<T>(
  results: Readonly<Record<Kind, readonly T[]>>,
  figure: (result: T) => number,
): Readonly<Record<Kind, readonly number[]>> {
  return { bare: results.bare.map(figure), ours: results.ours.map(figure) };
}

const UPLINKS_PER_SECOND = 200;
const FEEDING = 5;

export function notification(): Promise<Figures> {
  return withBoth(DEVICES, async ({ client, sides }) => {
    for (const kind of KINDS)
      await client.call('subscribe', { name: kind, nodeIds: sides[kind].nodeIds, publishing: 50, sampling: 0 });
    const results = await inTurn(RUNS, async (kind) => {
      const load = await sides[kind].plant.call('feed', {
        devices: DEVICES,
        uplinksPerSecond: UPLINKS_PER_SECOND,
        seconds: FEEDING,
      });
      const seen = await client.call('seen', { name: kind });
      return { ...load, ...seen, delivered: seen.count / load.samples };
    });
    const p50 = each(results, (result) => result.p50);
    const p99 = each(results, (result) => result.p99);
    return {
      title: 'event of ChirpStack to notification at an OPC UA client: 10,000 metrics, 2,000 samples/s, history on',
      figures: {
        delivered: Math.min(...results.ours.map(({ delivered }) => delivered)),
        deliveredBare: Math.min(...results.bare.map(({ delivered }) => delivered)),
        p50: median(p50.ours),
        p50Bare: median(p50.bare),
        ratioP50: ratio(p50),
        p99: median(p99.ours),
        p99Bare: median(p99.bare),
        ratioP99: ratio(p99),
        cpu: median(results.ours.map(({ cpu }) => cpu)),
        cpuBare: median(results.bare.map(({ cpu }) => cpu)),
        loopDelayP99: median(results.ours.map(({ loop }) => loop.p99)),
        loopDelayP99Bare: median(results.bare.map(({ loop }) => loop.p99)),
      },
      must: 'delivered = 1; ratioP50 and ratioP99 ≤ 1.5',
    };
  });
}

const IDLE = 5;
const IDLE_RUNS = 3;

export function sampling(): Promise<Figures> {
  return withBoth(DEVICES, async ({ client, sides }) => {
    for (const kind of KINDS)
      await client.call('subscribe', { name: kind, nodeIds: sides[kind].nodeIds, publishing: 250, sampling: 250 });
    const results = await inTurn(IDLE_RUNS, (kind) => sides[kind].plant.call('idle', { seconds: IDLE }));
    return {
      title: '10,000 monitored items asked at 250 ms while nothing changes',
      figures: {
        cpu: median(results.ours.map(({ cpu }) => cpu)),
        cpuBare: median(results.bare.map(({ cpu }) => cpu)),
        loopDelayP99: median(results.ours.map(({ loop }) => loop.p99)),
        loopDelayP99Bare: median(results.bare.map(({ loop }) => loop.p99)),
      },
      must: 'cpu ≤ 0.05 of a core',
    };
  });
}

/** s a run */
const READING = 1.5;

export function reads(): Promise<Figures> {
  return withBoth(DEVICES / 10, async ({ client, sides }) => {
    const figures: Record<string, number> = {};
    for (const perCall of [1, 100, 1_000]) {
      const results = await inTurn(RUNS, (kind) =>
        client.call('read', { name: kind, nodeIds: sides[kind].nodeIds.slice(0, perCall), seconds: READING }),
      );
      figures[`valuesPerSecond${perCall}`] = Math.round(median(results.ours));
      figures[`bare${perCall}`] = Math.round(median(results.bare));
      figures[`ratio${perCall}`] = ratio(results);
    }
    return {
      title: 'Read of 1, 100 and 1,000 values a call by one client, without encryption',
      figures,
      must: 'ratios ≥ 1, to a bare node-opcua server with chunks of 16 KiB',
    };
  });
}
