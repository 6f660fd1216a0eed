/** What both a running server and its operator's commands stand on. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { KeepsetError } from '@keepset/bytes';
import { printVerifierKey } from '@keepset/log';
import { printInvite } from '@keepset/transport';
import { createCode } from './enrolment/service.ts';
import { enrolmentStore, type EnrolmentStore } from './enrolment/store.ts';
import type { ServerOptions } from './options.ts';
import { givenCertificate, selfMadeCertificate, type TlsIdentity } from './secrets/certificate.ts';
import {
  isUnsealed,
  loadIdentity,
  loadLogSigner,
  serverSecrets,
  type ServerIdentity,
} from './secrets/identity.ts';
import { fileKek, type KekProvider } from './secrets/kek.ts';
import { openDatabase, type Database } from './store/database.ts';
import { logStore, type LogStore } from './store/log.ts';

/** A server's data, opened. */
export interface Foundation {
  readonly database: Database;
  readonly kek: KekProvider;
  readonly identity: ServerIdentity;
  readonly log: LogStore;
  /** C2SP verifier key of the log. */
  readonly logKey: string;
  readonly enrolments: EnrolmentStore;
  readonly tls: TlsIdentity;
}

export const unixSeconds = (): number => Math.floor(Date.now() / 1000);

/** Opens a server's data. Whoever calls it closes the database. @throws KeepsetError of family `store/` or `input/` */
export const layFoundation = async (options: ServerOptions): Promise<Foundation> => {
  makeFolder(options.dataDir);
  const database = openDatabase(join(options.dataDir, 'keepset.db'));
  try {
    const kek = fileKek(options.kekFile, { create: isUnsealed(database) });
    const secrets = serverSecrets(database, kek);
    const tls =
      options.tls === undefined
        ? await selfMadeCertificate(secrets, options.host)
        : givenCertificate(options.tls.cert, options.tls.key);
    const identity = await loadIdentity(secrets);
    const signer = await loadLogSigner(secrets, `keepset.log/${identity.signer.keyId}`);
    const log = logStore(database, signer);
    const logKey = printVerifierKey(signer.key);
    return { database, kek, identity, log, logKey, tls, enrolments: enrolmentStore(database) };
  } catch (error) {
    database.close();
    throw error;
  }
};

const makeFolder = (path: string): void => {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new KeepsetError('store/unavailable', `The data folder ${path} cannot be made.`, { cause });
  }
};

/**
 * Makes a one-time invitation.
 * @param server the address devices use
 * @param tenant whose device is invited; without it, a new tenant is
 */
export const inviteTo = (server: string, { tls, enrolments }: Foundation, tenant?: string): string =>
  printInvite({
    server,
    code: createCode(enrolments, unixSeconds(), tenant),
    ...(tls.pin === undefined ? {} : { pin: tls.pin }),
  });
