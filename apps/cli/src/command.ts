import type { Terminal } from './terminal/terminal.ts';

/** An option of a command, as node:util's parseArgs takes it, plus what --help says. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** Placeholder for the value in --help. */
  readonly value?: string;
  readonly help: string;
}

/** Values of the options as given. */
export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

/** One run of a command. */
export interface Invocation {
  readonly positionals: readonly string[];
  readonly options: OptionValues;
  readonly terminal: Terminal;
}

/** One `keepset` command; each lives in its own file. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** What follows the name, such as `FILE --key KEY`. */
  readonly usage: string;
  /** How many positional arguments it takes. */
  readonly positionals: readonly [min: number, max: number];
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly string[];
  /** Gives the exit code where it is not 0, although nothing failed. */
  run(invocation: Invocation): Promise<number | void>;
}

/** The option's text, or undefined. */
export const textOption = (options: OptionValues, name: string): string | undefined => {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
};
