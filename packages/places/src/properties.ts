/**
 * What each kind of place withstands, on two axes: does the copy survive a loss, and what does a thief get. The tables
 * the CLI and the documentation show are printed from here.
 */

/** What a place is. */
export type PlaceKind =
  | 'memory'
  | 'file'
  | 'usb'
  | 'printed-kit'
  | 'finder-backup'
  | 'keyring'
  | 'passkey'
  | 'secure-enclave'
  | 'icloud-keychain'
  | 'protected-file';

/** Losses, in the order of the table. */
export const losses = [
  'phone-lost',
  'phone-erased',
  'face-changed',
  'computer-lost',
  'account-lost',
  'house-fire',
  'vendor-gone',
] as const;
/** One of {@link losses}. */
export type Loss = (typeof losses)[number];

/** Thefts, in the order of the table. */
export const thefts = ['phone-and-passcode', 'account-taken', 'computer-taken', 'medium-found'] as const;
/** One of {@link thefts}. */
export type Theft = (typeof thefts)[number];

/** `maybe`: on where it is kept or how it was set up; count it as lost until that is known. */
export type Survival = 'yes' | 'no' | 'maybe';

/**
 * What a thief gets, at worst: nothing, a sealed copy whose key is elsewhere, or the share itself.
 * `share` also stands where the key usually lies beside the copy.
 */
export type Gain = 'nothing' | 'ciphertext' | 'share';

/** What a place declares about itself. */
export interface PlaceProperties {
  readonly kind: PlaceKind;
  /** For people, as inside a sentence. */
  readonly title: string;
  readonly survives: Readonly<Record<Loss, Survival>>;
  readonly yields: Readonly<Record<Theft, Gain>>;
  /** What opens a copy there. */
  readonly openedBy: string;
  /** What people most often overlook. */
  readonly caution: string;
}

const survives = (
  ...answers: readonly [Survival, Survival, Survival, Survival, Survival, Survival, Survival]
) => Object.fromEntries(losses.map((loss, i) => [loss, answers[i] ?? 'no'])) as Record<Loss, Survival>;
const yields = (...gains: readonly [Gain, Gain, Gain, Gain]) =>
  Object.fromEntries(thefts.map((theft, i) => [theft, gains[i] ?? 'share'])) as Record<Theft, Gain>;

const table: Readonly<Record<PlaceKind, Omit<PlaceProperties, 'kind'>>> = {
  memory: {
    title: 'memory',
    survives: survives('no', 'no', 'no', 'no', 'no', 'no', 'no'),
    yields: yields('nothing', 'nothing', 'share', 'nothing'),
    openedBy: 'the running process',
    caution: 'Gone with the process: for tests.',
  },
  file: {
    title: 'protected file',
    survives: survives('yes', 'yes', 'yes', 'no', 'yes', 'maybe', 'yes'),
    yields: yields('nothing', 'nothing', 'share', 'nothing'),
    openedBy: 'the device identity, or a passphrase',
    caution: 'The identity usually lies on the same computer: whoever has the one has the other.',
  },
  usb: {
    title: 'USB container',
    survives: survives('yes', 'yes', 'yes', 'yes', 'yes', 'maybe', 'yes'),
    yields: yields('nothing', 'nothing', 'nothing', 'ciphertext'),
    openedBy: 'the recovery identity on paper, or a passphrase',
    caution: 'Sticks forget and get lost: never the only backup, and verified after each unplugging.',
  },
  'printed-kit': {
    title: 'printed kit',
    survives: survives('yes', 'yes', 'yes', 'yes', 'yes', 'maybe', 'yes'),
    yields: yields('nothing', 'nothing', 'nothing', 'ciphertext'),
    openedBy: 'code sheet and share together',
    caution: 'Code sheet and share kept together are the share itself.',
  },
  'finder-backup': {
    title: 'Finder backup',
    survives: survives('yes', 'yes', 'yes', 'no', 'yes', 'maybe', 'maybe'),
    yields: yields('nothing', 'nothing', 'ciphertext', 'ciphertext'),
    openedBy: 'the backup password, then the share file’s own key',
    caution: 'Counts only if the backup is encrypted; the format is Apple’s and undocumented.',
  },
  keyring: {
    title: 'OS keyring',
    survives: survives('yes', 'yes', 'yes', 'no', 'yes', 'maybe', 'yes'),
    yields: yields('nothing', 'nothing', 'share', 'nothing'),
    openedBy: 'the desktop login, then the share file’s own key',
    caution: 'Open to every program of the logged-in user.',
  },
  passkey: {
    title: 'passkey',
    survives: survives('maybe', 'maybe', 'yes', 'maybe', 'no', 'yes', 'no'),
    yields: yields('share', 'share', 'nothing', 'nothing'),
    openedBy: 'face, finger or passcode on a device that has the passkey',
    caution:
      'It opens a code, and the copy lies elsewhere. Deleting the passkey ends that: never the only way in.',
  },
  'secure-enclave': {
    title: 'Secure Enclave file',
    survives: survives('no', 'no', 'maybe', 'yes', 'yes', 'maybe', 'yes'),
    yields: yields('share', 'nothing', 'nothing', 'nothing'),
    openedBy: 'this phone, with face, finger or passcode',
    caution: 'The key never leaves the phone: its loss must never be fatal.',
  },
  'icloud-keychain': {
    title: 'iCloud Keychain',
    survives: survives('yes', 'yes', 'yes', 'yes', 'no', 'yes', 'no'),
    yields: yields('ciphertext', 'ciphertext', 'nothing', 'nothing'),
    openedBy: 'any device of the account, then the share file’s own key',
    caution: 'Deleting it on one device deletes it on all; with sync off it is on this phone only.',
  },
  'protected-file': {
    title: 'Data Protection file',
    survives: survives('no', 'no', 'yes', 'yes', 'yes', 'maybe', 'yes'),
    yields: yields('share', 'nothing', 'nothing', 'nothing'),
    openedBy: 'the unlocked phone, then the share file’s own key',
    caution: 'If backups contain it, this place and the backup are one.',
  },
};

/** What a kind of place declares. */
export const propertiesOf = (kind: PlaceKind): PlaceProperties => ({ kind, ...table[kind] });

/** Every kind of place a user may choose, in the order of the tables. */
export const placeKinds: readonly PlaceKind[] = (Object.keys(table) as PlaceKind[]).filter(
  (kind) => kind !== 'memory',
);

const pad = (cells: readonly string[], widths: readonly number[]): string =>
  cells
    .map((cell, i) => cell.padEnd(widths[i] ?? 0))
    .join('  ')
    .trimEnd();

/** Head cells in two lines, split at the first hyphen, so that the table stays narrow. */
const draw = (
  kinds: readonly PlaceKind[],
  heads: readonly string[],
  cellsOf: (kind: PlaceKind) => string[],
): string => {
  const split = heads.map((head) => {
    const at = head.indexOf('-');
    return [head.slice(0, at), head.slice(at + 1).replaceAll('-', ' ')] as const;
  });
  const rows = kinds.map((kind) => [propertiesOf(kind).title, ...cellsOf(kind)]);
  const lines = [['', ...split.map(([top]) => top)], ['', ...split.map(([, bottom]) => bottom)], ...rows];
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  return `${lines.map((line) => pad(line, widths)).join('\n')}\n`;
};

/** Recoverability: which copies survive which loss. At most 80 columns. */
export const survivalTable = (kinds: readonly PlaceKind[] = placeKinds): string =>
  draw(kinds, losses, (kind) => losses.map((loss) => propertiesOf(kind).survives[loss]));

/** Confidentiality: what a thief gets, at worst. At most 80 columns. */
export const theftTable = (kinds: readonly PlaceKind[] = placeKinds): string =>
  draw(kinds, thefts, (kind) => thefts.map((theft) => propertiesOf(kind).yields[theft]));
