import { exitCodes } from '@keepset/bytes';
import type { Command, OptionSpec } from '../command.ts';
import { commandNames, loadCommand } from '../commands/registry.ts';

/** `keepset --help`, or the help of one command. */
export const overview = async (name?: string): Promise<string> => {
  const one = commandNames.find((command) => command === name);
  if (one !== undefined) return commandHelp(await loadCommand(one), {});
  const commands = await Promise.all(commandNames.map(loadCommand));
  const codes = Object.entries(exitCodes).map(([family, code]) => `${code} ${family}`);
  return [
    'keepset: signing keys that no single loss loses and no single theft steals.',
    '',
    'Usage: keepset COMMAND [ARGUMENTS] [--json]',
    '',
    ...commands.map((command) => `  ${command.name.padEnd(15)}${command.summary}`),
    '',
    '`keepset COMMAND --help` shows options and examples.',
    'The device lives in ~/.keepset; choose another folder with --home DIR or KEEPSET_HOME.',
    `Exit codes: 0 done, ${codes.join(', ')}.`,
  ].join('\n');
};

const optionLine = ([name, spec]: readonly [string, OptionSpec]): string => {
  const short = spec.short === undefined ? '    ' : `-${spec.short}, `;
  const value = spec.value === undefined ? '' : ` ${spec.value}`;
  return `  ${short}${`--${name}${value}`.padEnd(26)} ${spec.help}`;
};

/** `keepset COMMAND --help`. */
export const commandHelp = (command: Command, common: Readonly<Record<string, OptionSpec>>): string =>
  [
    command.summary,
    '',
    `Usage: keepset ${command.name} ${command.usage}`,
    '',
    ...Object.entries({ ...command.options, ...common }).map(optionLine),
    '',
    'Examples:',
    ...command.examples.map((example) => `  ${example}`),
  ].join('\n');
