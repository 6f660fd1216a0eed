/** The health of a key in words, 80 columns wide. */
import { propertiesOf, type CopyKind, type Protection, type Shortfall } from '@keepset/places';
import { shellWord } from '../../terminal/shell.ts';
import type { DamagedEntry } from '../ledger.ts';
import type { KeyHealth, ListedCopy, PasskeyState } from './health.ts';

/** The table of a key's copies, the verdict and what to do next. */
export const healthLines = ({ group, copies, protection }: KeyHealth): readonly string[] => [
  `Key ${group.keyId}`,
  `  ${group.scheme}, ${group.policy}, epoch ${group.epoch}`,
  '',
  row('copy', 'kit', 'tested', 'on', 'now'),
  ...copies.flatMap((copy) => [
    row(
      titleOf(copy),
      copy.id === 'home' ? '' : shortKit(copy.id),
      copy.proof,
      copy.provedAt?.slice(0, 10) ?? '',
      nowOf(copy),
    ),
    ...(copy.passkey === undefined ? [] : [passkeyRow(copy.passkey)]),
  ]),
  '',
  ...verdictLines(protection),
  ...nextSteps(copies, protection),
];

/** Whether a key is protected, in one sentence; for lists of keys. */
export const protectionLine = ({ isProtected, shortfalls }: Protection): string =>
  isProtected ? 'protected' : `not protected yet: ${shortfalls.map(reasonOf).join(' ')}`;

/** What to say of entries that cannot be read: nothing is claimed of their copies, and each has a way back. */
export const damagedLines = (damaged: readonly DamagedEntry[]): readonly string[] =>
  damaged.length === 0
    ? []
    : [
        'Damaged entries of the ledger:',
        ...damaged.map(damagedKitLine),
        '  What these copies are, and of which key, is not known any more: they count for',
        '  nothing and are not rewritten. A stick or folder of theirs has the folder',
        '  keepset-KIT, and sheets bear the kit. Open each with its code, which writes its',
        '  entry anew:',
        '      keepset remember COPY --code -',
        `  ${goneHint}`,
      ];

/** For a copy that nobody will open again. After a refresh its number is not missed: copies are ordered by epoch first. */
export const goneHint = 'If one is gone for good: `keepset refresh`, then move its file away.';

/** Which entry, and where its file lies. */
export const damagedKitLine = ({ kit, file }: DamagedEntry): string =>
  `  kit ${shortKit(kit)}: ${shellWord(file)}`;

/** What to do next for a copy; undefined where nothing is left to do. */
export const nextStepOf = (copy: ListedCopy): string | undefined => stepFor(copy);

const row = (...[copy, kit, tested, on, now]: readonly [string, string, string, string, string]): string =>
  `  ${copy.padEnd(18)} ${kit.padEnd(6)}  ${tested.padEnd(15)}  ${on.padEnd(10)}  ${now}`.trimEnd();

const passkeyRow = ({ proof, provedAt = '', reach, due }: PasskeyState): string =>
  row('  its passkey', '', proof, provedAt.slice(0, 10), presenceOf(reach, due));

/** As much of a kit's id as a table has room for; commands take it as well. */
const shortKit = (kit: string): string => kit.slice(0, 6);

const titleOf = ({ id, kind }: ListedCopy): string => (id === 'home' ? 'this device' : titles(kind));

const titles = (kind: CopyKind): string => (kind === 'folder' ? 'folder' : propertiesOf(kind).title);

const nowOf = ({ stale, reach, epoch, proof, due, lostAt }: ListedCopy): string => {
  if (lostAt !== undefined) return 'lost';
  if (proof === 'never written') return 'cut off';
  if (stale === 'epoch') return `stale: epoch ${epoch}`;
  if (stale === 'generation') return 'stale: repaired';
  return presenceOf(reach, due);
};

const presenceOf = (reach: ListedCopy['reach'], due: boolean): string => {
  if (reach.status === 'unseen' && reach.reason !== undefined) return 'made anew';
  if (reach.status === 'unseen') return due ? 'test again' : 'not seen';
  return reach.status === 'intact' && due ? 'test again' : reach.status;
};

const verdictLines = ({ isProtected, places, shortfalls, needed }: Protection): readonly string[] => [
  ...(isProtected
    ? [
        `  PROTECTED: this share was opened in ${places.length} places that are not lost together;`,
        '  the loss of any one of them can be made good.',
      ]
    : ['  NOT PROTECTED:', ...shortfalls.map((shortfall) => `  - ${reasonOf(shortfall)}`)]),
  ...(needed.length === 0
    ? []
    : [`  By its policy nobody can sign without ${needed.join(', nor without ')}, whatever is kept here.`]),
];

const reasonOf = (shortfall: Shortfall): string => {
  if (shortfall.kind === 'no-tested-copy') return 'no copy of this share was opened and found good.';
  return shortfall.kind === 'one-place'
    ? `every tested copy is lost with ${placeName(shortfall.domain)}.`
    : `the policy survives ${shortfall.promised} losses, the tested copies ${shortfall.reached}.`;
};

const placeName = (domain: string): string => {
  if (domain.startsWith('device:')) return 'this device';
  if (domain.startsWith('account:')) return `the account ${domain.slice('account:'.length)}`;
  return domain.startsWith('location:paper') ? 'one printed kit' : 'one medium';
};

const nextSteps = (copies: readonly ListedCopy[], { isProtected }: Protection): readonly string[] => {
  const steps = copies.flatMap((copy) => {
    const step = stepFor(copy);
    const passkey = stepForPasskey(copy);
    return [
      ...(step === undefined ? [] : [`  - ${titleOf(copy)} ${shortKit(copy.id)}: ${step}`]),
      ...(passkey === undefined ? [] : [`  - passkey of ${shortKit(copy.id)}: ${passkey}`]),
    ];
  });
  const more =
    isProtected || steps.length > 0 ? [] : ['  - make a copy elsewhere, on a stick or on paper:', ...makers];
  return steps.length + more.length === 0 ? [] : ['  Next:', ...steps, ...more];
};

const makers = ['      keepset usb create FOLDER --code-sheet FILE', '      keepset kit --out DIR'];

/** What would make a copy better, or undefined when nothing is left to do. */
const stepFor = (copy: ListedCopy): string | undefined => {
  if (copy.id === 'home') return undefined;
  const path = shellWord(copy.path ?? 'FOLDER');
  if (copy.lostAt !== undefined)
    return `lost on ${copy.lostAt.slice(0, 10)}; refresh so that it is worth nothing:\n      keepset refresh`;
  if (copy.proof === 'never written') return 'making it was cut off; make another one.';
  if (copy.stale !== undefined) return renewals(copy.kind, path);
  if (copy.reach.status === 'damaged') return damages(copy.kind, path, copy.reach.reason);
  if (copy.reach.status === 'unseen' && copy.reach.reason !== undefined)
    return `${copy.reach.reason}; open the copy in it:\n      ${additions(path)}`;
  if (copy.kind === 'usb' && copy.proof === 'written')
    return `unplug it, plug it in again,\n      keepset usb verify ${path} --replugged`;
  if (!copy.counts) return `try its code:\n      ${trials(copy)}`;
  if (copy.due) return `tested long ago; try its code again:\n      ${trials(copy)}`;
  return copy.proof === 'decrypted' ? `prove that it recovers:\n      ${trials(copy)}` : undefined;
};

const stepForPasskey = ({ id, passkey, lostAt }: ListedCopy): string | undefined => {
  if (passkey === undefined || lostAt !== undefined) return undefined;
  const { reach, proof, due } = passkey;
  if (reach.status === 'damaged')
    return `${reach.reason}; make another one:\n      keepset backup --add-passkey ${shortKit(id)} --code -`;
  if (proof === 'decrypted' && !due) return undefined;
  return `try it:\n      keepset drill --copy ${shortKit(id)} --passkey`;
};

const renewals = (kind: CopyKind, path: string): string => {
  if (kind === 'finder-backup')
    return `put the current share on the phone, back it up, then\n      ${additions(path)}`;
  if (kind === 'usb') return `write the current share:\n      keepset usb create ${path} --again`;
  return kind !== 'printed-kit'
    ? 'write the current share:\n      keepset backup --again'
    : 'worth nothing any more; destroy it and make a new one:\n      keepset kit --out DIR';
};

const damages = (kind: CopyKind, path: string, reason: string): string => {
  if (kind === 'usb') return `${reason}\n      keepset usb repair ${path}`;
  return kind === 'finder-backup'
    ? `${reason}; back it up again with the copy, then\n      ${additions(path)}`
    : `damaged; make another one:\n      ${reason}`;
};

/** A backup of a phone is only ever taken in: what is in it the phone wrote. */
const additions = (path: string): string => `keepset finder-backup add ${path} --code -`;

/** A drill opens it, and proves recovery at once. */
const trials = ({ id, kind }: ListedCopy): string =>
  `keepset drill ${kind === 'printed-kit' ? 'PICTURE… ' : ''}--copy ${shortKit(id)} --code -`;
