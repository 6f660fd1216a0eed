/** Copies of a device's share as its commands make them: where they lie, and what health says of them. */
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeBackup, modernDialect } from '../../packages/places/test/backup-maker.ts';
import { failure, succeed, type Device } from './commands.ts';
import { otherMedium, temporaryFolder } from './folders.ts';
import { reading } from './media.ts';

/** A copy on a medium, and what it needs to be found and opened. */
export interface Copy {
  /** Folder of the medium. */
  readonly root: string;
  readonly kit: string;
  /** Its recovery code. */
  readonly code: string;
}

/** Writes the device's share onto an empty stick. @param more options beside, such as `--key` */
export const createStick = async (
  root: string,
  { args }: Device,
  ...more: readonly string[]
): Promise<Copy> => {
  mkdirSync(root, { recursive: true });
  const { kit, code } = await succeed(['usb', 'create', root, '--show-code', ...more, ...args]);
  return { root, kit: kit as string, code: code as string };
};

/** A stick that was written, and completed after it was plugged in again. */
export const createWholeStick = async (root: string, device: Device): Promise<Copy> => {
  const stick = await createStick(root, device);
  await succeed(['usb', 'verify', root, '--replugged', ...device.args]);
  return stick;
};

/** Verifies a stick that something is wrong with, which leaves it as it is; the error. */
export const verifyFails = (
  { args }: Device,
  root: string,
  ...more: readonly string[]
): ReturnType<typeof failure> => reading(root, () => failure(['usb', 'verify', root, ...args, ...more]));

/** The container on a stick that holds one. */
export const containerOf = (root: string): string => {
  const [name = ''] = readdirSync(root).filter((entry) => entry.startsWith('keepset-'));
  return join(root, name);
};

/** A file of the slots in it: `enc`, `bak`, or the parity of one. The share is that of the quorum's second party. */
export const slotOf = (root: string, end = 'enc'): string => join(containerOf(root), `share_party2.${end}`);

/** A copy of a medium as it is now, which tests may hurt. */
export const imageOf = (root: string): string => {
  const image = join(otherMedium(), 'image');
  cpSync(root, image, { recursive: true });
  return image;
};

/** Turns every bit of one byte of a file. */
export const flipByte = (path: string, at: number): void => {
  const bytes = readFileSync(path);
  bytes[at] = ~(bytes[at] ?? 0) & 0xff;
  writeFileSync(path, bytes);
};

/** A file with recovery codes, as somebody writes one. */
export const codeFile = (...codes: readonly string[]): string => {
  const file = join(temporaryFolder(), 'codes.txt');
  writeFileSync(file, ['# recovery code', ...codes, ''].join('\n'));
  return file;
};

/** Writes the device's share into a folder that a cloud keeps. @param more options beside, such as `--key` */
export const backUpToCloud = async (
  root: string,
  { args }: Device,
  ...more: readonly string[]
): Promise<Copy> => {
  const { kit, code } = await succeed(['backup', root, '--cloud', 'icloud', '--show-code', ...more, ...args]);
  return { root, kit: kit as string, code: code as string };
};

/** The names of such a copy's files. */
export const filesOf = ({ root, kit }: Pick<Copy, 'root' | 'kit'>): string[] =>
  readdirSync(join(root, `keepset-${kit}`));

/** Its share file, the only file there. */
export const shareFileOf = (copy: Pick<Copy, 'root' | 'kit'>): string => {
  const [only, ...more] = filesOf(copy);
  if (only === undefined || more.length > 0) throw new Error('not one file');
  return join(copy.root, `keepset-${copy.kit}`, only);
};

/** The app among whose files on a phone shares lie. */
export const appDomain = 'AppDomain-org.example.keepset';
export const finderPassword = 'finder pässword';

/** Backs up a phone as Finder does. @param files by path, among the app's documents */
export const makeFinderBackup = (
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): void => {
  makeBackup(
    folder,
    finderPassword,
    modernDialect,
    Object.entries(files).map(([name, content]) => ({
      domain: appDomain,
      path: `Documents/${name}`,
      content: Buffer.from(content),
    })),
  );
};

/** The options that open such a backup. */
export const finderPasswordOptions = (): readonly string[] => {
  const file = join(temporaryFolder(), 'password');
  writeFileSync(file, `${finderPassword}\n`);
  return ['--copy-passphrase-file', file];
};

/** What health says of a copy. */
export interface CopyHealth {
  /** `home` for the device's own, otherwise the kit. */
  readonly id: string;
  readonly kind: string;
  readonly proof: string;
  readonly stale?: string;
  readonly counts: boolean;
  readonly reach: { readonly status: string };
}

/** What health says of a key. */
export interface KeyHealth {
  readonly protected: boolean;
  readonly shortfalls: readonly { readonly kind: string }[];
  readonly copies: readonly CopyHealth[];
}

/** What the device's own health command says. */
export const keyHealth = async ({ args }: Device, keyId: string): Promise<KeyHealth> => {
  const { keys } = await succeed(['health', '--key', keyId, ...args]);
  const [only] = keys as KeyHealth[];
  if (only === undefined) throw new Error('no such key');
  return only;
};

/** What health says of one of the key's copies. */
export const copyHealth = async (device: Device, keyId: string, id: string): Promise<CopyHealth> => {
  const copy = (await keyHealth(device, keyId)).copies.find((each) => each.id === id);
  if (copy === undefined) throw new Error(`no copy ${id}`);
  return copy;
};
