/**
 * Commands: what a device can be told (definitions), what it was told (commands), and what is known of its fate (states).
 * Times are ms UTC unless they say otherwise.
 */
import type { DevEui, DeviceProfileId, MetricKey } from './identifiers';
import type { DeviceClass } from './reading';
import type { Role } from './users';

/** Never reorder: OPC UA shows the place of a state as its number. */
export const COMMAND_STATES = [
  /** durable, waits for its turn */
  'Queued',
  /** on its way to ChirpStack, or it is being found out whether it arrived */
  'Sending',
  /** in ChirpStack's queue of the device */
  'Enqueued',
  /** a gateway sent the frame; the end of an unconfirmed command without an expected state */
  'Transmitted',
  /** the device acknowledged the frame */
  'Acknowledged',
  /** the device reported the expected state */
  'Verified',
  /** ChirpStack refused it */
  'Rejected',
  /** its time was over before it was sent to the device */
  'Expired',
  /** the device did not get it, did not acknowledge it, or is not in the expected state */
  'Failed',
  /** it cannot be known whether the device got it */
  'Uncertain',
  /** taken back before it reached the device */
  'Cancelled',
  /** a newer one took its place before it was sent */
  'Superseded',
] as const;
export type CommandState = (typeof COMMAND_STATES)[number];

export const PARAMETER_TYPES = ['Double', 'Int', 'Boolean', 'String', 'Enumeration'] as const;
export type ParameterType = (typeof PARAMETER_TYPES)[number];

/** A bigint only where an Int is beyond ±2^53. An enumeration's value is the name of its choice. */
export type ParameterValue = number | bigint | boolean | string;
export type ParameterValues = Readonly<Record<string, ParameterValue>>;

interface ParameterBase {
  readonly name: string;
  readonly description: string;
  /** For people, as in units.ts; empty if there is none. */
  readonly unit: string;
  readonly isRequired: boolean;
  readonly default?: ParameterValue;
}

export interface NumberParameter extends ParameterBase {
  readonly type: 'Double' | 'Int';
  /** Inclusive. */
  readonly min?: number;
  /** Inclusive. */
  readonly max?: number;
  /** Values are min (or 0) plus a multiple of it. */
  readonly step?: number;
}

export interface BooleanParameter extends ParameterBase {
  readonly type: 'Boolean';
}

export interface StringParameter extends ParameterBase {
  readonly type: 'String';
  /** Characters (UTF-16 units). */
  readonly maxLength: number;
}

export interface EnumerationParameter extends ParameterBase {
  readonly type: 'Enumeration';
  /** What is written for each name; numbers only where the payload is bytes. */
  readonly choices: readonly { readonly name: string; readonly value: number | string }[];
}

export type CommandParameter = NumberParameter | BooleanParameter | StringParameter | EnumerationParameter;

/** raw = round((value − offset) ÷ scale); a Boolean is 1 or 0, an enumeration the number of its choice. */
interface NumberSegment {
  readonly parameter: string;
  readonly littleEndian: boolean;
  readonly scale: number;
  readonly offset: number;
}

/** A piece of a payload, in the order in which it is sent. */
export type PayloadSegment =
  | { readonly kind: 'hex'; readonly hex: string }
  | (NumberSegment & {
      readonly kind: 'integer';
      readonly signed: boolean;
      /** Bytes, 1–8. */
      readonly width: number;
    })
  /** IEEE 754, 4 or 8 bytes; not rounded but for what the format cannot hold. */
  | (NumberSegment & { readonly kind: 'float'; readonly width: 4 | 8 })
  | {
      readonly kind: 'text';
      readonly parameter: string;
      /** Bytes: shorter text is filled up with zeros. Absent: as long as the text is, only as the last segment. */
      readonly length?: number;
    };

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

/**
 * What is sent. An object goes through the codec of the device profile; in it the text `{{name}}` stands for the value
 * of a parameter in its own type, and inside a longer text for its text. A property whose parameter was not given is
 * left out.
 */
export type PayloadTemplate =
  | { readonly kind: 'object'; readonly template: JsonObject }
  | { readonly kind: 'bytes'; readonly segments: readonly PayloadSegment[] };

/** How a command and its older brothers of the same name and device get along. */
export const COALESCINGS = ['queue', 'replace', 'reject'] as const;
/**
 * `queue`: each is sent, in order. `replace`: older ones that are not yet at ChirpStack become Superseded. `reject`:
 * refused as long as an older one is not yet transmitted.
 */
export type Coalescing = (typeof COALESCINGS)[number];

/** What the device reports when it has done what it was told. */
export interface ExpectedState {
  readonly metric: MetricKey;
  /** Either a value or the parameter whose value it takes on. */
  readonly value?: number | boolean | string;
  readonly parameter?: string;
  /** Numbers may differ by so much. */
  readonly tolerance: number;
  /** Seconds from the transmission in which it must be reported. */
  readonly within: number;
}

export interface CommandDefinition {
  /** For whom: all devices of a profile, or one device, whose own definitions override the profile's of the same name. */
  readonly scope: { readonly profileId: DeviceProfileId } | { readonly devEui: DevEui };
  readonly name: string;
  /** For people; the name if empty. */
  readonly title: string;
  readonly description: string;
  /** 1–223 */
  readonly fPort: number;
  readonly confirmed: boolean;
  readonly parameters: readonly CommandParameter[];
  readonly payload: PayloadTemplate;
  /** Seconds from the request in which it must be transmitted; later it never is. */
  readonly deadline: number;
  readonly coalescing: Coalescing;
  /** At most so many requests of this command for one device in so many seconds. */
  readonly rateLimit?: { readonly count: number; readonly seconds: number };
  readonly interlock?: {
    /** Who sends it must have this role. */
    readonly role?: Role;
    /** It must be asked for twice: the first request is answered with a token that the second one carries. */
    readonly secondConfirmation: boolean;
  };
  readonly expected?: ExpectedState;
}

/** What is sent for one command: fixed when it is accepted, whatever becomes of its definition. */
export type CommandPayload =
  | { readonly kind: 'bytes'; readonly hex: string }
  | { readonly kind: 'object'; readonly object: JsonObject };

/** Who asks, and for what. */
export interface CommandRequest {
  readonly devEui: DevEui;
  /** Of the definition. */
  readonly name: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Empty where nobody is logged in (a flow). */
  readonly user: string;
  /** Roles of the user; absent: asked by a flow, which is trusted with everything but a second confirmation. */
  readonly roles?: readonly Role[];
  /** Where it comes from, e.g. `opcua`, `dashboard`, `flow`. */
  readonly source: string;
  /** An own id; the same again is not a second command. 1–64 of letters, digits, `-`, `_`, `.`, `:`. */
  readonly id?: string;
  /** Shortens the deadline of the definition. */
  readonly expiresAt?: number;
  /** Token of the first request, where a second confirmation is asked for. */
  readonly confirmation?: string;
}

export interface CommandTransition {
  readonly state: CommandState;
  readonly time: number;
  /** Why, for people. */
  readonly reason: string;
}

/** What is known of the call that gave it to ChirpStack. */
export type CommandCall =
  /** none was made */
  | 'none'
  /** under way, or the program ended meanwhile */
  | 'open'
  /** it provably did not arrive */
  | 'unsent'
  /** it may have arrived */
  | 'unclear'
  | 'accepted'
  | 'refused';

export interface ResolvedExpectation {
  readonly metric: MetricKey;
  readonly value: number | boolean | string;
  readonly tolerance: number;
  /** ms from the transmission */
  readonly within: number;
}

/** One command and all that is known of it. Immutable: each transition makes a new one. */
export interface Command {
  readonly id: string;
  /** Grows with each command: the order per device. */
  readonly sequence: number;
  readonly devEui: DevEui;
  readonly name: string;
  readonly parameters: ParameterValues;
  readonly user: string;
  readonly source: string;
  readonly fPort: number;
  readonly confirmed: boolean;
  readonly payload: CommandPayload;
  readonly coalescing: Coalescing;
  /** ms from `createdAt` */
  readonly deadline: number;
  readonly expected?: ResolvedExpectation;
  readonly state: CommandState;
  readonly reason: string;
  readonly createdAt: number;
  /** Last change, of state or only of what is known. */
  readonly changedAt: number;
  /** ms that had passed since its creation by the monotonic clock at `changedAt`. */
  readonly age: number;
  /** Nothing is awaited any more. Late evidence is believed all the same. */
  readonly endedAt?: number;
  readonly transitions: readonly CommandTransition[];
  /** Calls that were made. */
  readonly attempts: number;
  readonly call: CommandCall;
  /** Expiry given to ChirpStack, µs UTC: unique per device, it is how the item is recognised in the queue. */
  readonly expiry?: number;
  /** Id of ChirpStack's queue item, by which events name it. */
  readonly queueItemId?: string;
  readonly fCntDown?: number;
  /** When a gateway sent it, as ChirpStack says. */
  readonly transmittedAt?: number;
  /** Last value of the expected metric since then. */
  readonly observed?: number | bigint | boolean | string;
  /** Why it failed: taken out of the queue unsent, no acknowledgement, or not in the expected state. */
  readonly failure?: 'discarded' | 'unacknowledged' | 'not-verified';
  /** Who wants it taken back, while that could not be decided. */
  readonly cancelledBy?: string;
  /** Who emptied ChirpStack's queue while it was in there. */
  readonly flushedBy?: string;
}

/** What the queue must know of a device to judge and to expect. */
export interface CommandDevice {
  readonly devEui: DevEui;
  readonly profileId?: DeviceProfileId;
  readonly deviceClass: DeviceClass;
  readonly isDisabled: boolean;
  /** ms UTC */
  readonly lastSeenAt?: number;
  /** Of its profile, ms; absent if unknown. */
  readonly uplinkInterval?: number;
  /** `false` where the profile has no codec: ChirpStack would send an object as an empty frame. */
  readonly hasCodec?: boolean;
}

/** When a device can be expected to get what waits for it. */
export interface CommandExpectation {
  /** `next-uplink`: a class A device listens only after it has sent. */
  readonly when: 'now' | 'next-uplink';
  /** ms UTC, where it can be told. */
  readonly at?: number;
}

/** A change of a command, as listeners get it. */
export interface CommandStatus {
  readonly command: Command;
  /** `undefined` where only more is known, in the same state. */
  readonly transition: CommandTransition | undefined;
  readonly expectation: CommandExpectation | undefined;
}
