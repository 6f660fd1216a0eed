import { resolve } from 'node:path';
import { KeepsetError, toKeepsetError, type ErrorCode } from '@keepset/bytes';
import type { Command, Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions, homePaths } from '../home/paths.ts';
import type { Judged } from '../places/usb/container.ts';
import { askServer } from '../places/ask-server.ts';
import { olderLine, olderOption } from '../places/kits-at-server.ts';
import { rememberHint, unnotedLine } from '../places/ledger.ts';
import { paperOption, readPaper } from '../places/kit/paper.ts';
import { isOnDevice } from '../places/look.ts';
import { codeOptions, givenCodes, requiredCodes } from '../places/recovery-code.ts';
import { codeLines } from '../places/sealed-copy.ts';
import { withUnlocked } from '../places/unlock.ts';
import { finishAfterReplug, repairStick, verifyStick } from '../places/usb/check.ts';
import { createStick, renewStick, type WrittenStick } from '../places/usb/create.ts';
import { rescueImage } from '../places/usb/rescue.ts';

export const usb: Command = {
  name: 'usb',
  summary: 'Keep this device’s share on a USB stick: write, verify, repair, rescue',
  usage: 'create | verify | repair  FOLDER,  or  rescue  IMAGE',
  positionals: [2, 2],
  options: {
    key: { type: 'string', value: 'KEY', help: 'create: key id or its beginning (default: the only key)' },
    'code-sheet': {
      type: 'string',
      value: 'FILE',
      help: 'create: print the recovery code as PDF, elsewhere',
    },
    'show-code': { type: 'boolean', help: 'create: show the recovery code' },
    again: { type: 'boolean', help: 'create: write the current share over an older one, same code' },
    ...paperOption,
    replugged: { type: 'boolean', help: 'verify: it was plugged in again; complete the second slot' },
    kit: { type: 'string', value: 'KIT', help: 'verify, repair: which container, where there are several' },
    ...codeOptions,
    ...olderOption,
    out: { type: 'string', value: 'DIR', help: 'rescue: where to write what is found' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset usb create /media/stick --code-sheet code.pdf',
    'keepset usb verify /media/stick --replugged      # after it was plugged in again',
    'keepset usb verify /media/stick --code -         # a drill: open it with the printed code',
    'keepset usb create /media/stick --again          # after a refresh',
    'keepset usb create /media/stick --again --code - # over a copy that this device does not remember',
    'keepset usb rescue stick.img --identity code.txt --out found',
  ],
  run: async (invocation) => {
    const [verb = '', ...rest] = invocation.positionals;
    const run = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (run === undefined)
      throw new KeepsetError('input/invalid-argument', `There is no usb command ${verb}.`, {
        hint: `Use one of ${Object.keys(verbs).join(', ')}.`,
      });
    await withNextStep(() => run({ ...invocation, positionals: rest }));
  },
};

const nextSteps: Partial<Record<ErrorCode, string>> = {
  'place/unreachable': 'Plug the stick in, and give the folder under which it appears.',
  'place/full': 'Make room on the stick, or use another one.',
  'place/read-only': 'Is the stick write-protected, or owned by another user?',
  'place/foreign':
    'What lies there is not what this device wrote. Move it off the stick, or use another stick.',
  'place/damaged': 'Try `keepset usb repair FOLDER`, and `keepset usb rescue` on an image of the stick.',
  'place/stale': 'Use it only if no newer copy is left.',
};

/** Errors from below the command may not know what the user can do. */
const withNextStep = async (work: () => Promise<void>): Promise<void> => {
  try {
    await work();
  } catch (thrown) {
    const error = toKeepsetError(thrown);
    const hint = error.hint ?? nextSteps[error.code];
    if (hint === error.hint || hint === undefined) throw thrown;
    throw new KeepsetError(error.code, error.message, { hint, cause: error });
  }
};

const create = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const folder = positionals[0] ?? '';
  const key = textOption(options, 'key');
  const sheet = textOption(options, 'code-sheet');
  const again = options['again'] === true;
  if (again && (sheet !== undefined || options['show-code'] === true))
    throw new KeepsetError('input/invalid-argument', 'With --again the stick keeps the code it has.', {
      hint: 'Keepset does not know that code. For a new one, make a new stick.',
    });
  const output = { sheet, paper: readPaper(options), show: options['show-code'] === true };
  const codes = again ? await givenCodes(options, terminal) : [];
  const stick = await withUnlocked(options, terminal, (unlocked) =>
    again
      ? renewStick(unlocked, terminal, folder, key, codes)
      : createStick(unlocked, terminal, folder, key, output),
  );
  terminal.result({ ...stick, ...(sheet === undefined ? {} : { codeSheet: sheet }) }, [
    `${stick.state === 'verified' ? 'Written and verified' : 'Written'}: key ${stick.keyId}, epoch ${stick.epoch}, generation ${stick.generation}.`,
    `  kit  ${stick.kit}`,
    ...(sheet === undefined
      ? []
      : [`  code sheet  ${sheet}: print it, keep it away from the stick, and delete the file`]),
    ...(stick.code === undefined ? [] : codeLines(stick.code)),
    ...(stick.state === 'verified' ? [] : ['', nextLine(stick, folder)]),
  ]);
};

const nextLine = (stick: WrittenStick, folder: string): string =>
  isOnDevice(stick)
    ? 'It lies on the disk of this device and is lost together with it: write another one to a stick.'
    : `Next: unplug it, plug it in again, then: keepset usb verify ${folder} --replugged`;

const verify = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const root = resolve(positionals[0] ?? '');
  const kit = textOption(options, 'kit');
  const codes = await givenCodes(options, terminal);
  const older = options['older'] === true;
  const judged =
    options['replugged'] === true
      ? await withUnlocked(options, terminal, (unlocked) => finishAfterReplug(unlocked, root, kit, codes))
      : await verifyStick(homePaths(options), root, codes, kit, older);
  const { facts, report, candidate } = judged;
  const against =
    facts === undefined
      ? undefined
      : await askServer(
          { kit: report.container.kit, ...facts, sha256: candidate.sha256 },
          older,
          options,
          terminal,
        );
  terminal.result({ ...asJson(judged), ...(against === undefined ? {} : { server: against }) }, [
    meanings[judged.by],
    ...factLines(judged),
    ...(against === 'newest' ? ['  The server knows of no newer copy.'] : []),
    ...(against === 'older' ? [olderLine] : []),
    ...(judged.mirrored
      ? []
      : [
          '  The second slot does not hold this copy yet: unplug the stick, plug it in again, and add --replugged.',
        ]),
    ...(judged.damaged === undefined ? [] : [unnotedLine(judged.damaged), rememberHint]),
    ...(judged.by === 'hashes' ? ['  Give --code or --identity to prove that it opens.'] : []),
  ]);
};

const repair = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const root = resolve(positionals[0] ?? '');
  const codes = await givenCodes(options, terminal);
  const { repaired, ...judged } = await withUnlocked(options, terminal, (unlocked) =>
    repairStick(unlocked, root, codes, textOption(options, 'kit')),
  );
  terminal.result({ ...asJson(judged), repaired }, [
    repaired.length === 0 ? 'Nothing to repair.' : 'Repaired:',
    ...repaired.map((what) => `  ${what}: mended`),
    ...(repaired.length === 0 ? [] : ['A stick that was damaged once may be failing: write a second one.']),
  ]);
};

const rescue = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const out = textOption(options, 'out');
  if (out === undefined)
    throw new KeepsetError('input/invalid-argument', 'Say where to write what is found: --out DIR.');
  const codes = await requiredCodes(options, terminal);
  const shares = await rescueImage(positionals[0] ?? '', codes, out, terminal);
  terminal.result({ shares }, [
    `Found ${shares.length === 1 ? 'one share' : `${shares.length} shares`}:`,
    ...shares.map(
      ({ file, keyId, party, epoch, generation }) =>
        `  ${file}: ${party}’s share of key ${keyId}, epoch ${epoch}, generation ${generation}`,
    ),
  ]);
};

const meanings: Readonly<Record<Judged['by'], string>> = {
  code: 'Verified: the code opens it, and the share inside is whole.',
  ledger: 'Verified: it holds, byte for byte, what this device wrote to it.',
  hashes: 'Readable: the copy is as it was written, but nothing here says by whom.',
};

const factLines = ({ facts, report }: Judged): string[] => [
  `  kit         ${report.container.kit}`,
  ...(facts === undefined
    ? []
    : [`  key         ${facts.keyId}`, `  epoch       ${facts.epoch}`, `  generation  ${facts.generation}`]),
];

const asJson = ({ facts, report, by, mirrored, damaged }: Judged): Readonly<Record<string, unknown>> => ({
  kit: report.container.kit,
  by,
  mirrored,
  ...(damaged === undefined ? {} : { damagedEntry: damaged }),
  ...facts,
});

const verbs: Readonly<Record<string, (invocation: Invocation) => Promise<void>>> = {
  create,
  verify,
  repair,
  rescue,
};
