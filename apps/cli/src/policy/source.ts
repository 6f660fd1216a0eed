import { readFile, stat } from 'node:fs/promises';
import {
  analysisParties,
  bareSetup,
  parsePolicy,
  parseSetup,
  presets,
  rangeOf,
  type Copy,
  type Preset,
  type Range,
  type Setup,
} from '@keepset/access';
import { KeepsetError } from '@keepset/bytes';
import { textOption, type OptionSpec, type OptionValues } from '../command.ts';

/** Weight, which is refused unless asked for. */
export const repeatsOption: OptionSpec = {
  type: 'boolean',
  help: 'Let a party stand several times, which gives it weight',
};

/** Options that say which setup is meant, beside a policy given as text. */
export const sourceOptions: Readonly<Record<string, OptionSpec>> = {
  setup: { type: 'string', value: 'FILE', help: 'A setup: policy, copies, secrets, events (JSON)' },
  preset: { type: 'string', value: 'ID', help: presets.map(({ id }) => id).join(', ') },
  corrected: { type: 'boolean', help: 'The corrected form of the preset' },
  loss: { type: 'string', value: 'P', help: 'A place is lost: 0.05, 0.01..0.1 or low..likely..high' },
  theft: { type: 'string', value: 'P', help: 'A place is reached by others, likewise' },
  repeats: repeatsOption,
};

/** A setup and what to call it. */
export interface Source {
  readonly name: string;
  readonly setup: Setup;
  /** Where it is a preset: which, and in which of its two forms. */
  readonly preset?: { readonly preset: Preset; readonly corrected: boolean };
}

/** The setups that the policies, `--setup` and `--preset` name, in this order. */
export const readSources = async (
  policies: readonly string[],
  options: OptionValues,
): Promise<readonly Source[]> => {
  const loss = readRange(options, 'loss');
  const theft = readRange(options, 'theft');
  const isRepeating = options['repeats'] === true;
  const bare = policies.map((text): Source => {
    const policy = parsePolicy(text, { maxParties: analysisParties, allowRepeats: isRepeating });
    return { name: text, setup: bareSetup(policy, loss, theft) };
  });
  const file = textOption(options, 'setup');
  const preset = textOption(options, 'preset');
  const placed: readonly Source[] = [
    ...(file === undefined ? [] : [{ name: file, setup: await readSetup(file) }]),
    ...(preset === undefined ? [] : [presetSource(preset, options['corrected'] === true)]),
  ];
  return [...bare, ...placed.map((source) => ({ ...source, setup: withChances(source.setup, loss, theft) }))];
};

/** @throws KeepsetError `input/invalid-argument` unless exactly one setup is named. */
export const readSource = async (policies: readonly string[], options: OptionValues): Promise<Source> => {
  const sources = await readSources(policies, options);
  const [only] = sources;
  if (only === undefined || sources.length > 1)
    throw new KeepsetError('input/invalid-argument', 'Give one policy, or --setup FILE, or --preset ID.');
  return only;
};

const readSetup = async (path: string): Promise<Setup> => parseSetup(await readJson(path));

const fileLimit = 1_000_000;

/** What a JSON file of the user holds. @throws KeepsetError `input/invalid-argument`, `input/malformed` */
export const readJson = async (path: string): Promise<unknown> => {
  let text: string;
  try {
    if ((await stat(path)).size > fileLimit)
      throw new KeepsetError('input/invalid-argument', `${path} is larger than a setup can be.`);
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof KeepsetError) throw cause;
    throw new KeepsetError('input/invalid-argument', `${path} cannot be read.`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new KeepsetError('input/malformed', `${path} is not JSON.`, { cause });
  }
};

const presetSource = (id: string, corrected: boolean): Source => {
  const preset = presets.find((one) => one.id === id);
  if (preset === undefined)
    throw new KeepsetError('input/invalid-argument', `There is no preset ${id}.`, {
      hint: `Presets: ${presets.map((one) => one.id).join(', ')}.`,
    });
  return {
    name: corrected ? `${id}, corrected` : id,
    setup: corrected ? preset.corrected : preset.original,
    preset: { preset, corrected },
  };
};

/** Fills in what the setup leaves open; what it says stays. */
const withChances = (setup: Setup, loss: Range | undefined, theft: Range | undefined): Setup => {
  const fill = (copy: Copy): Copy => ({
    ...(loss === undefined ? {} : { loss }),
    ...(theft === undefined ? {} : { theft }),
    ...copy,
  });
  return {
    ...setup,
    shares: new Map([...setup.shares].map(([party, copies]) => [party, copies.map(fill)])),
  };
};

const readRange = (options: OptionValues, name: 'loss' | 'theft'): Range | undefined => {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const values = text.split('..').map((part) => (/^[0-9.eE+-]+$/.test(part) ? Number(part) : Number.NaN));
  const [low = Number.NaN, middle = low, high] = values;
  const isRising = values.every((value, at) => value >= (values[at - 1] ?? 0) && value <= 1);
  if (!isRising || values.length > 3)
    throw new KeepsetError('input/invalid-argument', `--${name} ${text} is no probability.`, {
      hint: 'Give 0.05, or a range such as 0.01..0.1, or 0.01..0.05..0.1 with the likely value between.',
    });
  return high === undefined ? rangeOf(low, middle) : { low, likely: middle, high };
};
