/** The command line: all settings come from the environment, so there is little to say here. */
import { ENVIRONMENT_VARIABLES } from '../lib/runtime';

export type Command = 'run' | 'help' | 'version' | { readonly unknown: string };

export function parseArguments(words: readonly string[]): Command {
  const [first] = words;
  if (first === undefined) return 'run';
  if (first === '--help' || first === '-h') return 'help';
  if (first === '--version' || first === '-v') return 'version';
  return { unknown: first };
}

export function helpText(): string {
  const width = Math.max(...ENVIRONMENT_VARIABLES.map(({ name }) => name.length));
  const plain = (text: string): string => text.replaceAll('`', '');
  return [
    'Usage: lorua-gateway [--help | --version]',
    '',
    'Runs the gateway: LoRaWAN devices of ChirpStack as OPC UA values, with editor and dashboard.',
    'Settings are environment variables, all optional:',
    '',
    ...ENVIRONMENT_VARIABLES.flatMap(({ name, meaning, default: standard }) => [
      `  ${name.padEnd(width)}  ${plain(meaning)}`,
      `  ${''.padEnd(width)}  Default: ${plain(standard)}`,
    ]),
    '',
  ].join('\n');
}
