/**
 * Events that reach a flow as messages: from core `mqtt in`, core `http in`, or the official ChirpStack package's
 * `device event` node, which passes on the payload alone.
 */
import { display, InvalidInputError } from '../model';
import { type DecodedEvent, decodeEvent, inferEventType } from './event-decoder';

/** `[prefix/]application/<id>/device/<devEui>/event/<type>`, ChirpStack's default template with any prefix. */
const EVENT_TOPIC = /(?:^|\/)application\/[^/]+\/device\/[^/]+\/event\/([^/]+)$/;
/** What other clients, or Lorua itself, send to ChirpStack comes back to a subscriber of `application/#`. */
const COMMAND_TOPIC = /(?:^|\/)application\/[^/]+\/device\/[^/]+\/command\/[^/]+$/;
const GATEWAY_TOPIC = /(?:^|\/)gateway\/[^/]+\/(?:event|command|state)\/[^/]+$/;

const JSON_CURE =
  "Set json=true in [integration.mqtt] of chirpstack.toml, or encoding JSON in the application's HTTP integration.";

interface IncomingMessage {
  readonly topic?: unknown;
  readonly payload?: unknown;
  readonly retain?: unknown;
  readonly req?: { readonly query?: { readonly event?: unknown } };
}

/**
 * Decodes a Node-RED message that holds one event of ChirpStack.
 * @returns exactly what the same event gives on the gRPC path
 * @throws InvalidInputError if it holds none, or a damaged one
 */
export function decodeIncomingMessage(message: unknown): DecodedEvent {
  if (typeof message !== 'object' || message === null)
    throw fault('msg', message, 'it must be a message', 'Wire an mqtt in or http in node to this one.');
  const { topic, payload, retain, req } = message as IncomingMessage;
  const topicText = typeof topic === 'string' ? topic : '';
  if (COMMAND_TOPIC.test(topicText)) return { kind: 'ignored', why: 'the topic is one of commands, not of events' };
  if (GATEWAY_TOPIC.test(topicText)) return { kind: 'ignored', why: 'the topic is one of gateways, not of devices' };

  const queried = typeof req === 'object' && req !== null ? req.query?.event : undefined;
  const named = EVENT_TOPIC.exec(topicText)?.[1] ?? (typeof queried === 'string' ? queried : undefined);
  const body = parsePayload(payload);
  const type = named ?? inferEventType(body);
  if (type === undefined)
    throw fault(
      'msg.topic',
      topic,
      'the topic (mqtt in), msg.req.query.event (http in) or the payload (device event) must tell the type of the event',
      'Subscribe to application/+/device/+/event/+ and pass the message on unchanged.',
    );
  // The broker kept it from before: its time tells how old it is, and it is not news.
  return decodeEvent(type, body, { replayed: retain === true });
}

function parsePayload(payload: unknown): unknown {
  if (typeof payload === 'string') return parseText(payload, payload);
  if (payload instanceof Uint8Array) {
    const first = payload.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
    if (first !== 0x7b) throw notJson(payload.length === 0 ? '' : `(${payload.length} bytes)`);
    return parseText(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'), '(bytes)');
  }
  if (typeof payload === 'object' && payload !== null && !Array.isArray(payload)) return payload;
  throw fault('msg.payload', payload, 'it must be the event as JSON text, Buffer or object', JSON_CURE);
}

function parseText(text: string, shown: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Told below, like JSON that is no object.
  }
  throw notJson(shown);
}

function notJson(shown: string): InvalidInputError {
  return fault('msg.payload', shown, 'it must be JSON; ChirpStack sends protobuf here', JSON_CURE);
}

function fault(field: string, value: unknown, rule: string, cure: string): InvalidInputError {
  return new InvalidInputError([{ field, value: display(value), rule, cure }]);
}
