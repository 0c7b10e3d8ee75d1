import type { GatewayHealth } from '../../lib/model';

/** A gateway that is well, of which a test changes what it is about. */
export function healthOf(changes: Partial<GatewayHealth> = {}): GatewayHealth {
  return {
    time: Date.UTC(2026, 10, 24, 12),
    version: '1.2.3',
    startTime: Date.UTC(2026, 10, 24, 11),
    uptime: 3_600_000,
    serviceLevel: 255,
    serviceLevelReasons: [],
    connections: [],
    mqtt: [],
    readings: { event: 5, replay: 1, metrics: 0, restored: 2, stale: 0, flow: 0 },
    devices: { total: 4, fresh: 2, stale: 1, dead: 0 },
    values: { fresh: 20, stale: 3, dead: 0 },
    gateways: { 'never-seen': 0, online: 2, offline: 1 },
    store: { state: 'healthy', reason: '', cure: '', pending: 1, lost: 0, committed: 26 },
    memory: { rss: 200_000_000, heapUsed: 80_000_000, heapTotal: 100_000_000 },
    cpu: 12_500,
    ...changes,
  };
}
