/** Ids in requests, refused with the words of the libraries that ChirpStack parses them with (uuid, lrwn, hex). */
import { internal, invalidArgument } from './errors';

const UUID_GROUPS = [8, 4, 4, 4, 12];

/** @throws ServiceError INVALID_ARGUMENT */
export function parseUuid(text: string): string {
  const wrong = text.search(/[^0-9a-fA-F-]/);
  if (wrong >= 0) throw invalidArgument(`invalid character: found \`${text.charAt(wrong)}\` at ${wrong + 1}`);
  const groups = text.split('-');
  if (groups.length === 1) {
    if (text.length !== 32) throw invalidArgument(`invalid length: found ${text.length}`);
    return UUID_GROUPS.reduce(
      (result, length) => ({
        rest: result.rest.slice(length),
        parts: [...result.parts, result.rest.slice(0, length)],
      }),
      { rest: text.toLowerCase(), parts: Array.of<string>() },
    ).parts.join('-');
  }
  if (groups.length !== UUID_GROUPS.length)
    throw invalidArgument(`invalid group count: expected 5, found ${groups.length}`);
  UUID_GROUPS.forEach((expected, index) => {
    const found = groups[index]?.length ?? 0;
    if (found !== expected)
      throw invalidArgument(`invalid group length in group ${index}: expected ${expected}, found ${found}`);
  });
  return text.toLowerCase();
}

/** Lower case; an empty text is EUI zero, as in ChirpStack. @throws ServiceError INTERNAL */
export function parseEui64(text: string): string {
  if (text === '') return '0000000000000000';
  if (text.length % 2 !== 0) throw internal('Odd number of digits');
  if (text.length !== 16) throw internal('Invalid string length');
  const wrong = text.search(/[^0-9a-fA-F]/);
  if (wrong >= 0) throw internal(`Invalid character '${text.charAt(wrong)}' at position ${wrong}`);
  return text.toLowerCase();
}
