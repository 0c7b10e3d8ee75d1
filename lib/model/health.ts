/** How a connection to ChirpStack is doing, as the poller reports it and the Gateway object publishes it. */

export type ConnectionState =
  /** not yet tried, or trying for the first time */
  | 'connecting'
  | 'connected'
  /** no answer: network, address, certificate, server down */
  | 'disconnected'
  /** answers, but refuses the API token */
  | 'unauthenticated';

export interface ConnectionHealth {
  readonly state: ConnectionState;
  /** Since when it is in that state, ms UTC. */
  readonly since: number;
  /** Why it is not connected, or what a connected one lacks (no devices, no stream for some), for people; else empty. */
  readonly reason: string;
  /** What the user can do; empty if there is nothing to do. */
  readonly cure: string;
  /** When a reconciliation last succeeded as a whole, ms UTC. */
  readonly lastSuccessfulPoll?: number;
  /** Failed calls and streams since the poller started: only ever grows. */
  readonly errorCount: number;
  /** The last error, for people. */
  readonly lastError?: string;
  readonly applications: number;
  readonly devices: number;
  /** Event streams that are open, and how many there should be. */
  readonly streamsOpen: number;
  readonly streamsWanted: number;
  /** Uplinks since the poller started, replayed ones included. */
  readonly uplinks: number;
}

/** How the store is doing. */
export type StoreState =
  | 'opening'
  | 'healthy'
  /** writes fail or lag; live values go on, samples wait in memory */
  | 'degraded'
  | 'closed';

export interface StoreHealth {
  readonly state: StoreState;
  /** Why it is degraded, for people; empty otherwise. */
  readonly reason: string;
  readonly cure: string;
  /** Samples that wait for being written. */
  readonly pending: number;
  /** Samples given up since start because the buffer was full: only ever grows. */
  readonly lost: number;
  /** Samples committed since start. */
  readonly committed: number;
  /** Something to know that is over, for people: a damaged database was set aside. */
  readonly notice?: string;
}
