/** Points in time as ChirpStack keeps them: whole seconds and nanoseconds, UTC. */
import { Timestamp } from 'google-protobuf/google/protobuf/timestamp_pb';

export interface Instant {
  /** Since 1970-01-01 UTC. */
  readonly seconds: number;
  /** 0…999,999,999 */
  readonly nanos: number;
}

/** @param milliseconds since 1970-01-01 UTC; fractions of a ms are kept */
export function instant(milliseconds: number): Instant {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanos: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

/** ms since 1970-01-01 UTC, with fractions. */
export function milliseconds(time: Instant): number {
  return time.seconds * 1000 + time.nanos / 1e6;
}

/** RFC 3339 as chrono writes it: 0, 3, 6 or 9 digits of a second, offset `+00:00`. */
export function rfc3339(time: Instant): string {
  const text = new Date(time.seconds * 1000).toISOString().slice(0, 19);
  return `${text}${fraction(time.nanos)}+00:00`;
}

function fraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  if (digits.endsWith('000000')) return `.${digits.slice(0, 3)}`;
  return digits.endsWith('000') ? `.${digits.slice(0, 6)}` : `.${digits}`;
}

/** The protobuf message of an instant. */
export function timestamp(time: Instant): Timestamp {
  const message = new Timestamp();
  message.setSeconds(time.seconds);
  message.setNanos(time.nanos);
  return message;
}

/** The instant in a protobuf message. */
export function fromTimestamp(message: Timestamp): Instant {
  return { seconds: message.getSeconds(), nanos: message.getNanos() };
}
