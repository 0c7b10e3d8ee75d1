/** What an OPC UA client did, as the server tells it and the journal of audit keeps it. */
export interface ClientAct {
  /** What it was, e.g. `login-refused`. */
  readonly type: string;
  /** ms UTC */
  readonly time: number;
  /** Remote IP address. */
  readonly address: string;
  /** Name the client gave its session. */
  readonly session?: string;
  /** Name of the client program. */
  readonly application?: string;
  /** User name, also of one who logs in with a certificate; `anonymous` without login. */
  readonly user?: string;
  /** e.g. `Basic256Sha256/SignAndEncrypt` */
  readonly security?: string;
  /** Why it was refused or ended. */
  readonly reason?: string;
  /** SHA-1 thumbprint of a refused certificate. */
  readonly thumbprint?: string;
  /** Node id of what was written, or of the object whose method was called. */
  readonly node?: string;
  /** Name of the attribute that was written, e.g. `Value`. */
  readonly attribute?: string;
  /** Node id of the method that was called. */
  readonly method?: string;
  /** What was written, or the arguments of the call, as text of at most 256 characters; absent where it may be secret. */
  readonly value?: string;
  /** Status code of the answer, e.g. `BadUserAccessDenied`. */
  readonly status?: string;
  /** Id of the command that was made of it. */
  readonly command?: string;
  /** When the certificate ends, ms UTC. */
  readonly validTo?: number;
}
