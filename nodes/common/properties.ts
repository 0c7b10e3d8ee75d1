import { display, InvalidInputError } from '../../lib/model';

/**
 * A checkbox, which is also `"true"`, `"false"` or empty where its value comes from the environment (`${NAME}`).
 * @throws InvalidInputError
 */
export function parseSwitch(value: unknown, field: string, otherwise: boolean): boolean {
  if (typeof value === 'boolean') return value;
  if (value === undefined || value === null || value === '') return otherwise;
  if (value === 'true') return true;
  if (value === 'false') return false;
  throw new InvalidInputError([
    { field, value: display(value), rule: 'it is true or false', cure: 'Set it to true or false.' },
  ]);
}
