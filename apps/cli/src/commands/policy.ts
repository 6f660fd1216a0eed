import { writeFile } from 'node:fs/promises';
import {
  analyse,
  analysisToJson,
  backupTable,
  compare,
  comparisonLines,
  comparisonToJson,
  explainLines,
  minimumLines,
  policySvg,
  presetLines,
  presetTable,
  printPolicy,
  printSetup,
  simulate,
  simulationLines,
  strategyTable,
  suggest,
  suggestionLines,
  type Comparison,
  type PresetFacts,
} from '@keepset/access';
import { KeepsetError } from '@keepset/bytes';
import type { Command, Invocation, OptionValues } from '../command.ts';
import { textOption } from '../command.ts';
import { readSource, readSources, sourceOptions, type Source } from '../policy/source.ts';

export const policy: Command = {
  name: 'policy',
  summary: 'Say what a policy stands and what breaks it; needs no server',
  usage: 'explain | check | compare | simulate | suggest  POLICY',
  positionals: [1, 17],
  options: {
    ...sourceOptions,
    svg: { type: 'string', value: 'FILE', help: 'explain: also draw the policy' },
    events: { type: 'string', value: 'IDS', help: 'simulate: what happens, one after the other' },
    limit: { type: 'string', value: 'N', help: 'suggest: at most so many (default 5)' },
    'theft-weight': { type: 'string', value: 'N', help: 'suggest: losses a theft is as bad as (default 1)' },
    table: { type: 'string', value: 'NAME', help: 'compare: strategies, backups or presets' },
  },
  examples: [
    "keepset policy explain 'thresh(2,phone,server,usb)' --loss 0.05 --theft 0.01",
    'keepset policy explain --preset topology-1 --svg topology-1.svg',
    'keepset policy explain --preset pro --corrected --json | jq .setup > my-setup.json',
    "keepset policy check 'and(server,phone)'",
    "keepset policy compare 'thresh(2,a,b,c)' 'thresh(3,a,b,c,d,e)' --loss 0.05 --theft 0.01",
    'keepset policy compare --table strategies',
    'keepset policy simulate --preset pro --events phone-stolen,usb-rot/usb',
    'keepset policy suggest --setup my-setup.json --limit 3',
  ],
  run: async (invocation) => {
    const [verb = '', ...policies] = invocation.positionals;
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (run === undefined)
      throw new KeepsetError('input/invalid-argument', `There is no policy command ${verb}.`, {
        hint: `Use one of ${Object.keys(verbs).join(', ')}.`,
      });
    await run({ ...invocation, positionals: policies });
  },
};

const explain = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const { setup, preset } = await readSource(positionals, options);
  const analysis = analyse(setup);
  const svg = textOption(options, 'svg');
  if (svg !== undefined) await writePicture(svg, policySvg(setup, analysis));
  terminal.result(
    {
      ...analysisToJson(analysis),
      setup: printSetup(setup),
      ...(preset === undefined ? {} : { preset: describePreset(preset) }),
    },
    [
      ...(preset === undefined ? [] : [...presetLines(describePreset(preset)), '']),
      ...explainLines(analysis),
      ...(svg === undefined ? [] : ['', `Drawn in ${svg}.`]),
    ],
  );
};

const describePreset = ({
  preset: { id, title, changes },
  corrected,
}: NonNullable<Source['preset']>): PresetFacts => ({ id, title, corrected, changes });

const writePicture = async (path: string, text: string): Promise<void> => {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new KeepsetError('input/invalid-argument', `${path} cannot be written.`, { cause });
  }
};

/** Below the credible minimum is an error, so that scripts notice. */
const check = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const { setup } = await readSource(positionals, options);
  const analysis = analyse(setup);
  const { met, shortfalls } = analysis.credibleMinimum;
  if (!met)
    throw new KeepsetError('policy/forbidden', `${analysis.policy} is below the credible minimum.`, {
      hint: shortfalls.join('\n'),
    });
  terminal.result({ policy: analysis.policy, credibleMinimum: met, shortfalls }, minimumLines(analysis));
};

const tables: Readonly<Record<string, () => readonly Comparison[]>> = {
  strategies: strategyTable,
  backups: backupTable,
  presets: presetTable,
};

const compareAll = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const table = textOption(options, 'table');
  const rows = [
    ...(table === undefined ? [] : namedTable(table)),
    ...compare(await readSources(positionals, options)),
  ];
  if (rows.length === 0)
    throw new KeepsetError('input/invalid-argument', 'There is nothing to compare.', {
      hint: 'Give several policies, --preset ID, or --table strategies, backups or presets.',
    });
  terminal.result({ setups: rows.map(comparisonToJson) }, comparisonLines(rows));
};

const namedTable = (name: string): readonly Comparison[] => {
  const table = Object.hasOwn(tables, name) ? tables[name] : undefined;
  if (table === undefined)
    throw new KeepsetError('input/invalid-argument', `There is no table ${name}.`, {
      hint: `Tables: ${Object.keys(tables).join(', ')}.`,
    });
  return table();
};

const simulateEvents = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const { setup } = await readSource(positionals, options);
  const events = (textOption(options, 'events') ?? '').split(',').filter((id) => id !== '');
  if (events.length === 0)
    throw new KeepsetError('input/invalid-argument', 'Nothing happens: give --events.', {
      hint: 'For example --events phone-stolen,house-fire, or loss/PLACE and theft/PLACE for single places.',
    });
  const steps = simulate(setup, events);
  terminal.result({ policy: printPolicy(setup.policy), steps }, simulationLines(steps));
};

const suggestChanges = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const { setup } = await readSource(positionals, options);
  const suggestions = suggest(setup, {
    limit: positiveNumber(options, 'limit', 5),
    theftWeight: positiveNumber(options, 'theft-weight', 1),
  });
  terminal.result(
    {
      policy: printPolicy(setup.policy),
      suggestions: suggestions.map(({ setup: changed, ...rest }) => ({
        ...rest,
        policy: printPolicy(changed.policy),
        setup: printSetup(changed),
      })),
    },
    suggestionLines(suggestions),
  );
};

const positiveNumber = (options: OptionValues, name: string, otherwise: number): number => {
  const text = textOption(options, name);
  if (text === undefined) return otherwise;
  if (!/^[1-9][0-9]{0,5}$/.test(text))
    throw new KeepsetError('input/invalid-argument', `--${name} ${text} is no number from 1.`);
  return Number(text);
};

const verbs: Readonly<Record<string, (invocation: Invocation) => Promise<void>>> = {
  explain,
  check,
  compare: compareAll,
  simulate: simulateEvents,
  suggest: suggestChanges,
};
