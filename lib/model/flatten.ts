/**
 * Flattens a decoded object into metrics exactly as ChirpStack does it for measurements (codec/mod.rs): nested names
 * and array indices joined by `_`, only numbers, strings and booleans are values, null is skipped.
 */
import { MAX_KEY_LENGTH } from './identifiers';
import type { MetricValue } from './reading';

/** Deeper objects are not decoded sensor data; the limit keeps hostile ones from exhausting the stack. */
export const MAX_DEPTH = 32;
/** More metrics in one message are not one device's; the limit keeps memory bounded. */
export const MAX_METRICS = 2_000;

export interface FlattenedMetrics {
  /** By metric key. Where two paths give the same key, the later one stands. */
  readonly values: Readonly<Record<string, MetricValue>>;
  /** Paths that hold something that cannot be a metric, and why. */
  readonly refused: readonly { readonly path: string; readonly value: unknown; readonly rule: string }[];
}

/** Never throws; what cannot be a metric is reported, not dropped in silence. */
export function flatten(root: object): FlattenedMetrics {
  const entries: [string, MetricValue][] = [];
  const refused: { path: string; value: unknown; rule: string }[] = [];

  const visit = (value: unknown, path: string, depth: number): void => {
    if (value === null || value === undefined) return;
    if (entries.length >= MAX_METRICS) {
      if (refused.at(-1)?.path !== '…')
        refused.push({ path: '…', value: root, rule: `a message has at most ${MAX_METRICS} metrics` });
      return;
    }
    switch (typeof value) {
      case 'number':
        if (Number.isFinite(value)) add(path, value);
        else refused.push({ path, value: String(value), rule: 'a number must be finite' });
        return;
      case 'bigint':
      case 'boolean':
      case 'string':
        add(path, value);
        return;
      case 'object':
        if (depth >= MAX_DEPTH) {
          refused.push({ path, value: '[object]', rule: `objects may be nested at most ${MAX_DEPTH} deep` });
          return;
        }
        if (value instanceof Date || Buffer.isBuffer(value) || ArrayBuffer.isView(value)) {
          refused.push({
            path,
            value: Object.prototype.toString.call(value),
            rule: 'it must be a number, text or boolean',
          });
          return;
        }
        for (const [key, inner] of Object.entries(value)) visit(inner, path === '' ? key : `${path}_${key}`, depth + 1);
        return;
      default:
        refused.push({ path, value: typeof value, rule: 'it must be a number, text or boolean' });
    }
  };

  const add = (path: string, value: MetricValue): void => {
    // oxlint-disable-next-line no-control-regex
    if (path === '' || path.length > MAX_KEY_LENGTH || /[\u0000-\u001f\u007f]/.test(path))
      refused.push({
        path,
        value,
        rule: `a metric key has 1 to ${MAX_KEY_LENGTH} characters and no control characters`,
      });
    else entries.push([path, value]);
  };

  visit(root, '', 0);
  return { values: Object.fromEntries(entries), refused };
}
