/** A well-behaved OPC UA client in a process of its own: it reads a few values, again and again, and tells how long it took. */
import { setTimeout as pause } from 'node:timers/promises';
import { TestClient } from './opcua-client';
import { offer, Remote } from './remote';

export interface Latency {
  readonly reads: number;
  /** ms */
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
  /** What happened to the connection; empty if all went well. */
  readonly troubles: readonly string[];
}

/** ms between two reads */
const INTERVAL = 10;

let client: TestClient | undefined;

const services = {
  async connect(access: { url: string; user: string; password: string }): Promise<void> {
    client = await TestClient.connect(access);
  },

  /** Reads for a while. @param duration ms */
  async read({ nodeIds, duration }: { nodeIds: readonly string[]; duration: number }): Promise<Latency> {
    if (client === undefined) throw new Error('not connected');
    const times: number[] = [];
    for (const end = performance.now() + duration; performance.now() < end; ) {
      const begun = performance.now();
      const values = await client.readAll(nodeIds);
      times.push(performance.now() - begun);
      if (values.length !== nodeIds.length) throw new Error('values are missing');
      await pause(INTERVAL);
    }
    times.sort((a, b) => a - b);
    const at = (share: number): number => times[Math.floor(times.length * share)] ?? Number.NaN;
    return { reads: times.length, p50: at(0.5), p99: at(0.99), longest: times.at(-1) ?? 0, troubles: client.troubles };
  },
} as const;

export type RemoteLatencyClient = Remote<typeof services>;

export function startLatencyClient(): RemoteLatencyClient {
  return new Remote(__filename);
}

if (require.main === module)
  void offer(services, async () => {
    await client?.close();
    process.exit();
  });
