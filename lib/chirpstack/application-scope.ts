/** Which applications a connection serves: those configured, those of a tenant, or all that an admin key shows. */
import {
  type Application,
  type ApplicationId,
  InvalidInputError,
  parseApplicationId,
  parseTenantId,
  type TenantId,
} from '../model';
import type { ChirpstackApi } from './chirpstack-api';
import type { ConnectionSettings } from './connection-settings';
import { eachLimited } from './each-limited';
import { lookUp, permitted, ScopeError, SYNC_CONCURRENCY, type SyncRun } from './sync-support';

export interface FoundApplications {
  readonly applications: ReadonlyMap<ApplicationId, Application>;
  readonly tenants: ReadonlySet<TenantId>;
  /** Configured applications that are not there. */
  readonly absent: readonly ApplicationId[];
}

export class ApplicationScope {
  readonly #api: ChirpstackApi;
  readonly #settings: ConnectionSettings;
  #known: ReadonlyMap<ApplicationId, Application>;

  constructor(api: ChirpstackApi, settings: ConnectionSettings, known: ReadonlyMap<ApplicationId, Application>) {
    this.#api = api;
    this.#settings = settings;
    this.#known = known;
  }

  /** @throws CallError, or ScopeError if the key may not see what the settings ask for */
  async find(run: SyncRun): Promise<FoundApplications> {
    const found = this.#settings.applicationIds.length > 0 ? await this.#configured(run) : await this.#listed(run);
    this.#known = found.applications;
    return found;
  }

  async #configured(run: SyncRun): Promise<FoundApplications> {
    const applications = new Map<ApplicationId, Application>();
    const absent: ApplicationId[] = [];
    const { applicationIds, tenantId } = this.#settings;
    await eachLimited(applicationIds, SYNC_CONCURRENCY, async (id) => {
      const answer = await lookUp(run, (settings) => this.#api.application(id, settings));
      const known = this.#known.get(id);
      if (answer.state === 'failed') {
        if (known) applications.set(id, known);
        return;
      }
      const application = answer.state === 'found' ? readApplication(answer.value, answer.value.tenantId) : undefined;
      if (application === undefined || (tenantId !== undefined && application.tenantId !== tenantId)) absent.push(id);
      else applications.set(id, application);
    });
    if (absent.length === applicationIds.length)
      throw new ScopeError(
        `None of the applications configured is there for this API key: ${absent.join(', ')}.`,
        "Check the application ids, and that the API key is one of the applications' tenant.",
      );
    // In the order of the settings, whatever came first.
    const ordered = new Map(applicationIds.flatMap((id) => entryOf(applications, id)));
    return { applications: ordered, tenants: tenantsOf(ordered), absent };
  }

  async #listed(run: SyncRun): Promise<FoundApplications> {
    const applications = new Map<ApplicationId, Application>();
    const tenants = this.#settings.tenantId === undefined ? await this.#allTenants(run) : [this.#settings.tenantId];
    await eachLimited(tenants, SYNC_CONCURRENCY, async (tenantId) => {
      const listing = await permitted(
        run,
        (settings) => this.#api.applications(tenantId, settings),
        () =>
          new ScopeError(
            `The API key may not see the tenant ${tenantId}.`,
            'Check the tenant id, or make the API key in that tenant.',
          ),
      );
      for (const row of listing.rows) {
        const application = readApplication(row, tenantId);
        if (application) applications.set(application.id, application);
      }
    });
    // Names are not unique, so that their order may hide a row between two pages: look again before one goes.
    const missing = [...this.#known.values()].filter(({ id }) => !applications.has(id));
    await eachLimited(missing, SYNC_CONCURRENCY, async (known) => {
      const answer = await lookUp(run, (settings) => this.#api.application(known.id, settings));
      if (answer.state === 'failed') applications.set(known.id, known);
      if (answer.state !== 'found') return;
      const application = readApplication(answer.value, answer.value.tenantId);
      if (application && tenants.includes(application.tenantId)) applications.set(application.id, application);
    });
    return { applications, tenants: new Set(tenants), absent: [] };
  }

  async #allTenants(run: SyncRun): Promise<TenantId[]> {
    const listing = await permitted(
      run,
      (settings) => this.#api.tenants(settings),
      () =>
        new ScopeError(
          'The API key is one of a tenant, and ChirpStack does not let such a key find out which.',
          "Set the tenant id, or the ids of the applications, in the connection's settings.",
        ),
    );
    return listing.rows.flatMap((row) => parsed(() => parseTenantId(row.id)));
  }
}

function tenantsOf(applications: ReadonlyMap<ApplicationId, Application>): Set<TenantId> {
  return new Set([...applications.values()].map(({ tenantId }) => tenantId));
}

function entryOf(map: ReadonlyMap<ApplicationId, Application>, id: ApplicationId): [ApplicationId, Application][] {
  const value = map.get(id);
  return value === undefined ? [] : [[id, value]];
}

function readApplication(
  row: { id: string; name: string; description: string },
  tenantId: string,
): Application | undefined {
  return parsed(() => ({
    id: parseApplicationId(row.id),
    tenantId: parseTenantId(tenantId),
    name: row.name,
    description: row.description,
  }))[0];
}

/** The value in an array, or an empty one if ChirpStack's answer holds an id that is none. */
export function parsed<T>(parse: () => T): T[] {
  try {
    return [parse()];
  } catch (error) {
    if (error instanceof InvalidInputError) return [];
    throw error;
  }
}
