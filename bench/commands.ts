/**
 * Commands: from the write of an OPC UA client to ChirpStack's queue, against a bare call of ChirpStack's API. ChirpStack
 * is simulated in this process, gateway and client are processes of their own.
 */
import { silentLogger, systemClock } from '../lib/model';
import { Simulator } from '../lib/simulator';
import { median } from '../test/support/measure';
import { startHouse } from './command-house';
import { type Sent, startSender } from './command-sender';
import { type Figures, RUNS } from './figures';
import { preciseNow } from './opcua-plant';

/** Devices with a command that waits for their next uplink. */
const PENDING = 1_000;
/** Devices that are written to. */
const TARGETS = 100;
/** Commands a run. */
const COMMANDS = 400;
const F_PORT = 10;
const NAME = 'level';
/** ms: none sends anything meanwhile. */
const SILENT = 86_400_000;

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

interface Times {
  /** ms from the start of the call until ChirpStack has it. */
  readonly there: readonly number[];
  /** ms from the start of the call to its answer. */
  readonly answer: readonly number[];
}

export async function commands(): Promise<Figures> {
  const simulator = new Simulator(
    { devices: 1, period: SILENT, seed: 7 },
    { clock: systemClock, logger: silentLogger },
  );
  const devEuis = Array.from({ length: PENDING + TARGETS }, () => simulator.addDevice({ kind: 'climate' }) as string);
  const [targets, others] = [devEuis.slice(0, TARGETS), devEuis.slice(TARGETS)];
  /** When the command of a number was put into a queue, ms UTC. */
  const arrivals = new Map<number, number>();
  for (const { devEui, queue } of simulator.devices()) {
    if (!targets.includes(devEui)) continue;
    const add = queue.add.bind(queue);
    queue.add = (item) => {
      add(item);
      arrivals.set(Buffer.from(item.data).readUInt32BE(), preciseNow());
    };
  }
  const house = startHouse();
  const sender = startSender();
  try {
    const { url: api } = await simulator.start();
    const { tenantToken: token, tenantId } = simulator;
    const profileId = simulator.devicesOfKind('climate')[0]?.profileId;
    const access = await house.call('open', {
      url: api,
      token,
      tenantId,
      devices: devEuis.length,
      definitions: [
        {
          profileId,
          name: NAME,
          fPort: F_PORT,
          parameters: [{ name: 'x', type: 'Int', min: 0, max: 2 ** 31 - 1 }],
          payload: { kind: 'integer', parameter: 'x', format: 'uint32' },
        },
      ],
    });
    await house.call('fill', { devEuis: others, name: NAME });
    await sender.call('connect', { access, api, token });
    await house.call('commits', {});

    let from = 0;
    const timesOf = (sent: readonly Sent[]): Times => ({
      there: sent.map(({ number, begun }) => (arrivals.get(number) ?? Number.NaN) - begun),
      answer: sent.map(({ begun, answered }) => answered - begun),
    });
    const runs: { ours: Times; bare: Times; reads: Times; commits: readonly number[] }[] = [];
    for (let run = 0; run <= RUNS; run++) {
      const { ours, bare, reads } = await sender.call('send', {
        devEuis: targets,
        count: COMMANDS,
        from,
        name: NAME,
        fPort: F_PORT,
      });
      from += 2 * COMMANDS;
      const { requests } = await house.call('commits', {});
      // The first run warms up and does not count.
      if (run > 0) runs.push({ ours: timesOf(ours), bare: timesOf(bare), reads: timesOf(reads), commits: requests });
    }
    type Run = (typeof runs)[number];
    const figure = (of: (run: Run) => readonly number[], share: number): number =>
      median(runs.map((run) => quantile(of(run), share)));
    const ratio = (share: number): number =>
      median(runs.map(({ ours, bare }) => quantile(ours.there, share) / quantile(bare.answer, share)));
    return {
      title: `OPC UA write to enqueue at ChirpStack, one after the other, with ${PENDING} pending commands of other devices`,
      figures: {
        p50: figure(({ ours }) => ours.there, 0.5),
        p99: figure(({ ours }) => ours.there, 0.99),
        commitP50: figure(({ commits }) => commits, 0.5),
        commitP99: figure(({ commits }) => commits, 0.99),
        readP50: figure(({ reads }) => reads.answer, 0.5),
        readP99: figure(({ reads }) => reads.answer, 0.99),
        answerP50: figure(({ ours }) => ours.answer, 0.5),
        answerP99: figure(({ ours }) => ours.answer, 0.99),
        bareP50: figure(({ bare }) => bare.answer, 0.5),
        bareP99: figure(({ bare }) => bare.answer, 0.99),
        ratioP50: ratio(0.5),
        ratioP99: ratio(0.99),
      },
      must: 'ratioP99 ≤ 3',
    };
  } finally {
    await sender.stop();
    await house.stop();
    await simulator.stop();
  }
}
