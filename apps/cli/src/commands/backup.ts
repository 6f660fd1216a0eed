import { KeepsetError } from '@keepset/bytes';
import { recipientOf } from '@keepset/wire';
import type { Command, Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions, homePaths } from '../home/paths.ts';
import { browserOption } from '../passkey/browser.ts';
import { sealToPasskey, writePasskey } from '../passkey/way.ts';
import { createCopy } from '../places/folder-copy.ts';
import { changeKit, findKit, readLedger, type LedgerKit } from '../places/ledger.ts';
import { copyFolder, placeOf } from '../places/look.ts';
import { paperOption, readPaper } from '../places/kit/paper.ts';
import { codeOptions, requiredCodes } from '../places/recovery-code.ts';
import { renewCopies, renewalLines, type Renewal } from '../places/rewrite.ts';
import { codeLines } from '../places/sealed-copy.ts';
import { withUnlocked } from '../places/unlock.ts';

export const backup: Command = {
  name: 'backup',
  summary: 'Copy this device’s share to a folder or keyring, or rewrite all copies that are stale',
  usage: 'FOLDER [--cloud NAME] --code-sheet FILE [--passkey],  or  --keyring …,  or  --again',
  positionals: [0, 1],
  options: {
    key: { type: 'string', value: 'KEY', help: 'Key id or its beginning (default: the only key)' },
    cloud: {
      type: 'string',
      value: 'NAME',
      help: 'The folder is synchronised by this account, such as icloud',
    },
    keyring: { type: 'boolean', help: 'Into the keyring of this desktop instead of a folder' },
    'code-sheet': { type: 'string', value: 'FILE', help: 'Print the recovery code as PDF, elsewhere' },
    'show-code': { type: 'boolean', help: 'Show the recovery code' },
    ...paperOption,
    passkey: { type: 'boolean', help: 'Make a passkey that opens the code too, in a browser' },
    'add-passkey': {
      type: 'string',
      value: 'KIT',
      help: 'Make a passkey for a folder copy there is already',
    },
    ...codeOptions,
    ...browserOption,
    again: { type: 'boolean', help: 'Write the current share over all stale copies that can be reached' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset backup ~/Drive --cloud icloud --code-sheet /tmp/code.pdf',
    'keepset backup /mnt/other-disk --show-code',
    'keepset backup ~/Drive --cloud icloud --code-sheet /tmp/code.pdf --passkey',
    'keepset backup --add-passkey a4dq --code -',
    'keepset backup --again                           # after a refresh, with the stick plugged in',
  ],
  run: (invocation) => {
    const { options } = invocation;
    if (textOption(options, 'add-passkey') !== undefined) return addPasskey(invocation);
    if (options['code'] !== undefined || options['identity'] !== undefined)
      throw new KeepsetError('input/invalid-argument', 'A new copy gets a new code.', {
        hint: 'Leave --code and --identity out: they belong to --add-passkey.',
      });
    return options['again'] === true ? renew(invocation) : create(invocation);
  },
};

const create = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  const [folder] = positionals;
  const cloud = textOption(options, 'cloud');
  if ((folder === undefined) !== (options['keyring'] === true))
    throw new KeepsetError('input/invalid-argument', 'Say where the copy goes: FOLDER, or --keyring.');
  if (cloud !== undefined && (folder === undefined || !/^[a-z][a-z0-9-]{0,31}$/.test(cloud)))
    throw new KeepsetError(
      'input/invalid-argument',
      'With --cloud give a folder, and a name in small letters.',
    );
  const sheet = textOption(options, 'code-sheet');
  const output = { sheet, paper: readPaper(options), show: options['show-code'] === true };
  if (options['passkey'] === true && folder === undefined) throw onlyFolders();
  const seal =
    options['passkey'] === true
      ? (code: string, kit: string) => sealToPasskey(code, kit, options, terminal)
      : undefined;
  const made = await withUnlocked(options, terminal, (unlocked) =>
    createCopy(unlocked, { folder, cloud }, textOption(options, 'key'), output, seal),
  );
  terminal.result({ ...made, ...(sheet === undefined ? {} : { codeSheet: sheet }) }, [
    `Written and read back: key ${made.keyId}, epoch ${made.epoch}, generation ${made.generation}.`,
    `  kit  ${made.kit}`,
    ...(sheet === undefined
      ? []
      : [`  code sheet  ${sheet}: print it, keep it elsewhere, and delete the file`]),
    ...(made.code === undefined ? [] : codeLines(made.code)),
    ...(made.passkey
      ? [passkeyLine(made.kit), 'It may be deleted or lost with an account: keep the code.']
      : []),
    '',
    ...cautionLines(made.domain),
    `Next: keepset drill --copy ${made.kit.slice(0, 6)} --code -`,
    ...(made.passkey ? [`      keepset drill --copy ${made.kit.slice(0, 6)} --passkey`] : []),
  ]);
};

const passkeyLine = (kit: string): string => `The passkey “Keepset ${kit.slice(0, 6)}” opens that code, too.`;

const onlyFolders = (): KeepsetError =>
  new KeepsetError('input/invalid-argument', 'Only a copy in a folder can have a passkey.', {
    hint: 'A stick, a printed kit and a keyring have their recovery code alone.',
  });

/** Makes a passkey for a copy there is, in place of one that it has. The copy itself stays as it is. */
const addPasskey = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  if (positionals.length > 0 || options['again'] === true || options['passkey'] === true)
    throw new KeepsetError('input/invalid-argument', 'With --add-passkey give only KIT and its code.');
  const paths = homePaths(options);
  const prefix = textOption(options, 'add-passkey') ?? '';
  const known = findKit(prefix, await readLedger(paths));
  const { kit, kind, path, recipient } = known;
  if (kind !== 'folder' || path === undefined) throw onlyFolders();
  await placeOf(known);
  const codes = await requiredCodes(options, terminal);
  const recipients = await Promise.all(codes.map(recipientOf));
  const code = codes[recipients.indexOf(recipient)];
  if (code === undefined)
    throw new KeepsetError('place/locked', 'This is not the code of that copy.', {
      hint: 'Each copy has a code of its own: compare the kit on the code sheet with `keepset health`.',
    });
  const files = await sealToPasskey(code, kit, options, terminal);
  // Minutes later: the copy may have gone meanwhile.
  await placeOf(known);
  const passkey = await writePasskey(copyFolder(path, kit), files);
  await changeKit(paths, known, (now) => ({ ...now, passkey }));
  terminal.result({ kit, passkey: true }, [
    passkeyLine(kit),
    `Next: keepset drill --copy ${kit.slice(0, 6)} --passkey`,
  ]);
};

const cautionLines = (domain: string): readonly string[] => {
  if (domain.startsWith('account:'))
    return ['Keepset sees the folder, not the cloud: look there once from another device.'];
  return domain.startsWith('device:')
    ? ['It is lost together with this device: it helps against mistakes, not against loss.']
    : ['On a stick `keepset usb create` is safer: what it writes survives being pulled out.'];
};

const renew = async ({ positionals, options, terminal }: Invocation): Promise<void> => {
  if (positionals.length > 0)
    throw new KeepsetError(
      'input/invalid-argument',
      'With --again no folder is given: all copies are meant.',
    );
  const key = textOption(options, 'key');
  const { keys, absent, remembered } = await withUnlocked(options, terminal, async (unlocked) => {
    const { paths, vault } = unlocked;
    const held = await vault.list();
    const done: (Renewal & { readonly keyId: string })[] = [];
    for (const keyId of key === undefined ? held : [await findKeyId(vault, key)])
      done.push({ keyId, ...(await renewCopies(unlocked, keyId)) });
    const { kits } = await readLedger(paths);
    const isMeant = ({ keyId, lostAt }: LedgerKit): boolean =>
      lostAt === undefined && done.some((renewal) => renewal.keyId === keyId);
    const others = key === undefined ? kits.filter(({ keyId }) => !held.includes(keyId)) : [];
    return {
      keys: done,
      absent: [...Map.groupBy(others, ({ keyId }) => keyId)].map(([keyId, copies]): Absent => ({
        keyId,
        kits: copies.map(({ kit }) => kit),
      })),
      remembered: kits.filter(isMeant).length,
    };
  });
  const lines = [...keys.flatMap((renewal) => renewalLines(renewal, renewal.keyId)), ...absentLines(absent)];
  const nothing = remembered > 0 ? 'All copies are current.' : 'This device remembers no copy of its keys.';
  terminal.result({ keys, absent }, lines.length === 0 ? [nothing] : lines);
};

/** Copies of a key of which this device holds no share now: it was parked, or a reshare has let this device go. */
interface Absent {
  readonly keyId: string;
  readonly kits: readonly string[];
}

const absentLines = (absent: readonly Absent[]): readonly string[] =>
  absent.length === 0
    ? []
    : [
        ...absent.map(
          ({ keyId, kits }) =>
            `Not looked at: ${kits.length === 1 ? '1 copy' : `${kits.length} copies`} of key ${keyId}, whose share is not on this device.`,
        ),
        'A parked share is put back first, then its copies are written anew: keepset unpark --from COPY --code -',
      ];
