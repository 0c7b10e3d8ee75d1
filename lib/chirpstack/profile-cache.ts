/** Device profiles in use, fetched when they are new or changed, and now and then for what no version tells. */
import {
  type Clock,
  type DeviceProfile,
  type DeviceProfileId,
  parseDeviceProfileId,
  parseMetricKey,
  type TenantId,
} from '../model';
import { parsed } from './application-scope';
import { failureOf, isGone } from './call-failure';
import type { ChirpstackApi } from './chirpstack-api';
import { eachLimited } from './each-limited';
import { lookUp, repeated, SYNC_CONCURRENCY, type SyncRun } from './sync-support';

/**
 * ChirpStack adds measurements that it detects by itself without touching `updated_at`: each profile is read anew
 * after this time, ms.
 */
const MAX_AGE = 600_000;
/** Profiles re-read for their age alone in one run: spread, so that no run costs many calls. */
const AGED_PER_RUN = 3;

interface CachedProfile {
  readonly profile: DeviceProfile;
  /** `updated_at`; empty if not known. */
  readonly version: string;
  /** Monotonic, ms; undefined if it comes from the store. */
  readonly fetchedAt: number | undefined;
}

export class ProfileCache {
  readonly #api: ChirpstackApi;
  readonly #clock: Clock;
  readonly #cache = new Map<DeviceProfileId, CachedProfile>();

  constructor(api: ChirpstackApi, clock: Clock, known: ReadonlyMap<DeviceProfileId, DeviceProfile>) {
    this.#api = api;
    this.#clock = clock;
    for (const [id, profile] of known) this.#cache.set(id, { profile, version: '', fetchedAt: undefined });
  }

  /**
   * Brings the profiles in use up to date.
   * @param used ids and names as the devices' list gives them
   */
  async refresh(
    run: SyncRun,
    tenants: ReadonlySet<TenantId>,
    used: ReadonlyMap<DeviceProfileId, string>,
  ): Promise<Map<DeviceProfileId, DeviceProfile>> {
    const versions = await this.#versions(run, tenants);
    for (const id of Array.from(this.#cache.keys())) if (!used.has(id)) this.#cache.delete(id);

    const needed: DeviceProfileId[] = [];
    const aged: { id: DeviceProfileId; fetchedAt: number }[] = [];
    for (const id of used.keys()) {
      const cached = this.#cache.get(id);
      if (cached?.fetchedAt === undefined || cached.version !== (versions.get(id) ?? cached.version)) needed.push(id);
      else if (this.#clock.monotonic() - cached.fetchedAt >= MAX_AGE) aged.push({ id, fetchedAt: cached.fetchedAt });
    }
    aged.sort((a, b) => a.fetchedAt - b.fetchedAt);
    needed.push(...aged.slice(0, AGED_PER_RUN).map(({ id }) => id));

    await eachLimited(needed, SYNC_CONCURRENCY, async (id) => {
      const answer = await lookUp(run, (settings) => this.#api.profile(id, settings));
      if (answer.state === 'found')
        this.#cache.set(id, {
          profile: {
            id,
            name: answer.value.name,
            uplinkInterval: answer.value.uplinkInterval,
            measurements: Object.fromEntries(
              Object.entries(answer.value.measurementsMap).filter(
                ([key]) => parsed(() => parseMetricKey(key)).length > 0,
              ),
            ),
            tags: answer.value.tagsMap,
            ...(answer.value.payloadCodecRuntime === undefined
              ? {}
              : { hasCodec: answer.value.payloadCodecRuntime !== 0 }),
          },
          version: versions.get(id) ?? '',
          fetchedAt: this.#clock.monotonic(),
        });
    });
    return new Map([...used].map(([id, name]) => [id, this.#cache.get(id)?.profile ?? bareProfile(id, name)]));
  }

  async #versions(run: SyncRun, tenants: ReadonlySet<TenantId>): Promise<Map<DeviceProfileId, string>> {
    const versions = new Map<DeviceProfileId, string>();
    await eachLimited(tenants, SYNC_CONCURRENCY, async (tenantId) => {
      try {
        const { rows } = await repeated(run, (settings) => this.#api.profiles(tenantId, settings));
        for (const row of rows)
          for (const id of parsed(() => parseDeviceProfileId(row.id))) versions.set(id, row.updatedAt);
      } catch (error) {
        const failure = failureOf(error);
        // Without versions the age alone decides.
        if (failure === undefined || !isGone(failure)) throw error;
      }
    });
    return versions;
  }
}

function bareProfile(id: DeviceProfileId, name: string): DeviceProfile {
  return { id, name, uplinkInterval: 0, measurements: {}, tags: {} };
}
