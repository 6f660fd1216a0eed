/** Commands as tests run them: what must succeed, what must fail, and what several devices do together. */
import { expect } from 'vitest';
import { isErrorCode } from '@keepset/bytes';
import { nextStep } from '../../apps/cli/src/terminal/next-step.ts';
import { bin, errorOf, keepsetJson, onlyObject, start, untilSaid, type Running } from './processes.ts';

export type Json = Record<string, unknown>;

/** Runs a command that must succeed; what it printed. */
export const succeed = async (args: readonly string[]): Promise<Json> => {
  const { code, json, stderr } = await keepsetJson(args);
  expect({ args: args.slice(0, 2), code, json, stderr }).toMatchObject({ code: 0 });
  expect(json).not.toHaveProperty('error');
  return json;
};

/** The error of a command that must fail. */
export const refusal = async (args: readonly string[]): Promise<ReturnType<typeof errorOf>> => {
  const ended = await keepsetJson(args);
  expect(ended.code, JSON.stringify(ended.json)).not.toBe(0);
  return errorOf(ended);
};

/** The same, and it must name a next step of its own, not the one that goes for every error of its kind. */
export const failure = async (
  args: readonly string[],
): Promise<{ code: string; message: string; hint: string }> => {
  const { code, message, hint } = await refusal(args);
  if (!isErrorCode(code)) throw new Error(`${code} is no code`);
  expect(hint, `${code} says what to do next`).not.toBe(nextStep(code, args[0]));
  return { code, message, hint };
};

/** A device, as commands are told of it. */
export interface Device {
  readonly home: string;
  /** The options that name its home. */
  readonly args: readonly string[];
  /** What the server knows it as, once it is enrolled. */
  readonly id?: string;
}

/** The device whose home this is. */
export const deviceAt = (home: string): Device => ({ home, args: ['--home', home] });

/** What a device runs when it is handed a join code. */
export type Joining = (code: string) => readonly string[] | Promise<readonly string[]>;

/** Simply joins. */
export const joining =
  ({ args }: Device, ...more: readonly string[]): Joining =>
  (code) => ['join', code, ...more, ...args];

/** Waits for the code with which a party is to join a command that runs. */
export const joinCode = async (running: Running, party: string): Promise<string> => {
  await untilSaid(running, `on ${party}:  keepset join `);
  return new RegExp(`on ${party}:  keepset join (\\S+)\n`).exec(running.stderr())?.[1] ?? '';
};

/** Starts a command for several devices, and joins it from each of the others as its code appears. */
export const together = async (
  starter: readonly string[],
  joins: Readonly<Record<string, Joining>>,
): Promise<Json> => {
  const running = start(process.execPath, [bin, ...starter, '--json']);
  const joined = Object.entries(joins).map(async ([party, join]) =>
    succeed(await join(await joinCode(running, party))),
  );
  const [ended] = await Promise.all([running.ended, ...joined]);
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  return onlyObject(ended.stdout);
};
