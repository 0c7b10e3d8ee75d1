/** The LoRa gateways of tenants, with state and last sign of life: one list call for 500 of them, nothing else. */
import { type GatewayEui, parseGatewayEui, type RadioGateway, type TenantId } from '../model';
import { parsed } from './application-scope';
import { failureOf, isGone } from './call-failure';
import { type ChirpstackApi, type Listing, PAGE_SIZE } from './chirpstack-api';
import { eachLimited } from './each-limited';
import type { GatewayItem } from './replies';
import { concernsObject, repeated, SYNC_CONCURRENCY, type SyncRun } from './sync-support';

interface ListedGateways {
  readonly gateways: ReadonlyMap<GatewayEui, RadioGateway>;
  /** The key may not list them, or this ChirpStack cannot: that is no fault, there are none to be shown. */
  readonly isHidden: boolean;
}

export class GatewayList {
  readonly #api: ChirpstackApi;
  #known: ReadonlyMap<GatewayEui, RadioGateway>;
  /** Gateways that the last listing did not show, where that listing may have missed some. */
  #absent: ReadonlySet<GatewayEui> = new Set();

  constructor(api: ChirpstackApi, known: ReadonlyMap<GatewayEui, RadioGateway>) {
    this.#api = api;
    this.#known = known;
  }

  /**
   * What the tenants have now, in order of their EUI. Where a listing fails, what was known of that tenant stays.
   * @throws CallError if the server or the token fails
   */
  async refresh(run: SyncRun, tenants: ReadonlySet<TenantId>): Promise<ListedGateways> {
    const found = new Map<GatewayEui, RadioGateway>();
    const absent = new Set<GatewayEui>();
    let isHidden = false;
    await eachLimited(tenants, SYNC_CONCURRENCY, async (tenantId) => {
      const listing = await this.#list(run, tenantId);
      if (listing === 'hidden') {
        isHidden = true;
        return;
      }
      const known = [...this.#known.values()].filter((gateway) => gateway.tenantId === tenantId);
      if (listing === 'failed') {
        for (const gateway of known) found.set(gateway.gatewayId, gateway);
        return;
      }
      for (const item of listing.rows)
        for (const gateway of parsed(() => readGateway(item, tenantId))) found.set(gateway.gatewayId, gateway);
      // Rows move between pages while gateways are added and removed: one look removes nothing then.
      const isSure = listing.unreadable === 0 && listing.rows.length < PAGE_SIZE;
      for (const gateway of known) {
        if (isSure || found.has(gateway.gatewayId) || this.#absent.has(gateway.gatewayId)) continue;
        found.set(gateway.gatewayId, gateway);
        absent.add(gateway.gatewayId);
      }
    });
    const gateways = new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
    this.#known = gateways;
    this.#absent = absent;
    return { gateways, isHidden };
  }

  async #list(run: SyncRun, tenantId: TenantId): Promise<Listing<GatewayItem> | 'hidden' | 'failed'> {
    try {
      return await repeated(run, (settings) => this.#api.gateways(tenantId, settings));
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      if (failure.kind === 'unimplemented') return 'hidden';
      if (isGone(failure)) {
        if (await run.tokenAccepted()) return 'hidden';
        throw error;
      }
      if (!concernsObject(failure)) throw error;
      run.problem(failure);
      return 'failed';
    }
  }
}

/** @throws InvalidInputError for an id that is no EUI */
function readGateway(item: GatewayItem, tenantId: TenantId): RadioGateway {
  return {
    gatewayId: parseGatewayEui(item.gatewayId),
    tenantId,
    name: item.name,
    description: item.description,
    state: item.state,
    ...(item.lastSeenAt === undefined ? {} : { lastSeenAt: item.lastSeenAt }),
    ...(item.location === undefined ? {} : { location: item.location }),
  };
}
