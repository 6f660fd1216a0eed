import { parseArgs } from 'node:util';
import { KeepsetError, printableLines, toKeepsetError, version } from '@keepset/bytes';
import type { Command, OptionSpec } from './command.ts';
import { commandNames, loadCommand, type CommandName } from './commands/registry.ts';
import { commandHelp, overview } from './terminal/help.ts';
import { nextStep } from './terminal/next-step.ts';
import { terminalFor, type Terminal } from './terminal/terminal.ts';

const commonOptions: Readonly<Record<string, OptionSpec>> = {
  json: { type: 'boolean', help: 'Print one JSON object instead of text' },
  help: { type: 'boolean', short: 'h', help: 'Show this help' },
};

/**
 * Runs one command line.
 * @param terminal where it shows what it does; the process's own by default
 * @returns the exit code: 0, or that of the error's family (see `keepset --help`).
 */
export const main = async (
  args: readonly string[],
  terminal: Terminal = terminalFor(args.includes('--json')),
): Promise<number> => {
  const [name, ...rest] = args;
  try {
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      terminal.result({ commands: commandNames }, [await overview(rest[0])]);
      return 0;
    }
    if (name === '--version' || name === '-V') {
      terminal.result({ version, node: process.version }, [`keepset ${version}, on Node ${process.version}`]);
      return 0;
    }
    return await runCommand(await loadCommand(known(name)), rest, terminal);
  } catch (thrown) {
    return report(toKeepsetError(thrown), name, terminal);
  }
};

const known = (name: string): CommandName => {
  const found = commandNames.find((command) => command === name);
  if (found !== undefined) return found;
  const near = commandsNear(name);
  throw new KeepsetError('input/invalid-argument', `There is no command ${name}.`, {
    hint: near.length === 0 ? 'See `keepset --help`.' : `Do you mean: ${near.join(', ')}?`,
  });
};

/** Commands that begin so; if none does, those that differ in two letters at most. */
const commandsNear = (name: string): readonly CommandName[] => {
  const longer = commandNames.filter((command) => command.startsWith(name));
  return longer.length > 0 ? longer : commandNames.filter((command) => editDistance(command, name) <= 2);
};

/** How many letters have to be put in, taken out or replaced. */
const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [i, letter] of a.split('').entries()) {
    const next = [i + 1];
    for (const [j, other] of b.split('').entries())
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (letter === other ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
};

const runCommand = async (command: Command, args: readonly string[], terminal: Terminal): Promise<number> => {
  const { values, positionals } = parse(command, args);
  if (values['help'] === true) {
    terminal.result({ command: command.name, usage: command.usage }, [commandHelp(command, commonOptions)]);
    return 0;
  }
  const [min, max] = command.positionals;
  if (positionals.length < min || positionals.length > max)
    throw new KeepsetError('input/invalid-argument', `Usage: keepset ${command.name} ${command.usage}`, {
      hint: `See \`keepset ${command.name} --help\`.`,
    });
  return (await command.run({ positionals, options: values, terminal })) ?? 0;
};

const parse = (
  command: Command,
  args: readonly string[],
): { values: Record<string, string | boolean | undefined>; positionals: string[] } => {
  const options = Object.fromEntries(
    Object.entries({ ...command.options, ...commonOptions }).map(([name, { type, short }]) => [
      name,
      short === undefined ? { type } : { type, short },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { values, positionals };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('. ')[0] : 'bad arguments';
    throw new KeepsetError('input/invalid-argument', `${reason}.`, {
      hint: `See \`keepset ${command.name} --help\`.`,
      cause,
    });
  }
};

const report = (error: KeepsetError, command: string | undefined, terminal: Terminal): number => {
  const { code, message, culprits, retry } = error;
  const hint = error.hint ?? nextStep(code, command);
  if (terminal.json) {
    terminal.result({ error: { code, message, retry, culprits, hint } }, []);
    return error.exitCode;
  }
  terminal.note(`error: ${message}  [${code}]`);
  if (culprits.length > 0) terminal.note(`  at fault: ${culprits.join(', ')}`);
  terminal.note(
    hint
      .split('\n')
      .map((line) => `  ${line}`)
      .join('\n'),
  );
  if (error.family === 'bug' && error.cause instanceof Error)
    process.stderr.write(`${printableLines(error.cause.stack ?? error.cause.message)}\n`);
  return error.exitCode;
};
