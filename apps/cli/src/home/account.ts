import * as v from 'valibot';
import { KeepsetError, bytesOfLength, decodeAs, encodeCbor, type Schema } from '@keepset/bytes';
import { partyName } from '@keepset/wire';
import { readIfThere, writeDurably } from './files.ts';

/** What a device knows of its server since enrolment. */
export interface Account {
  /** `https://host:port` */
  readonly server: string;
  /** Pinned certificate key; absent when the certificate is one the system trusts. */
  readonly pin?: Uint8Array;
  readonly serverParty: string;
  readonly serverKey: Uint8Array;
  readonly logKey: string;
  readonly tenant: string;
  readonly device: string;
  /** This device's party name. */
  readonly party: string;
}

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(512));

const accountSchema: Schema<Account> = v.pipe(
  v.strictObject({
    server: text,
    pin: v.optional(bytesOfLength(32)),
    serverParty: partyName,
    serverKey: bytesOfLength(33),
    logKey: text,
    tenant: text,
    device: text,
    party: partyName,
  }),
  v.transform(({ pin, ...rest }) => ({ ...rest, ...(pin === undefined ? {} : { pin }) })),
);

export const saveAccount = (path: string, account: Account): Promise<void> =>
  writeDurably(path, encodeCbor({ ...account }));

/** @throws KeepsetError `input/not-enrolled` or `place/damaged` */
export const loadAccount = async (path: string): Promise<Account> => {
  const bytes = await readIfThere(path);
  if (bytes === undefined)
    throw new KeepsetError('input/not-enrolled', 'This device is not enrolled with a server yet.', {
      hint: 'Start a server with `keepset serve`, then run `keepset enroll INVITATION`.',
    });
  try {
    return decodeAs(accountSchema, bytes, 'account');
  } catch (cause) {
    throw new KeepsetError('place/damaged', `The account file ${path} is damaged.`, {
      hint: 'Put the file back from a backup of this folder, or see `keepset recover --help`. Delete nothing else in it.',
      cause,
    });
  }
};
