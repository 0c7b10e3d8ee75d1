import { z } from 'zod';
import type { GatewayHealth } from '../model';
import { PROMETHEUS_CONTENT_TYPE, prometheusText } from './prometheus';

export const healthPayload = z.strictObject({});

/** What an HTTP answer to Prometheus needs. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

export function metrics(health: GatewayHealth): MetricsText {
  return { contentType: PROMETHEUS_CONTENT_TYPE, text: prometheusText(health) };
}
