/** What a topic does. */
import type { z } from 'zod';
import { parsePayload } from './payload';

/** @param user who asks; `undefined` for a message that the flow itself made */
export type UseCase = (payload: unknown, user: string | undefined) => unknown;

/** By topic. */
export type UseCases = readonly (readonly [topic: string, useCase: UseCase])[];

/** Something that changes nothing. */
export function question<T>(
  topic: string,
  schema: z.ZodType<T>,
  answer: (payload: T) => unknown,
): readonly [string, UseCase] {
  return [topic, (payload) => answer(parsePayload(schema, payload))];
}
