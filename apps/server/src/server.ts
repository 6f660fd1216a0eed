import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pino from 'pino';
import { KeepsetError, parseAs } from '@keepset/bytes';
import { party1Handler, supportedSchemes } from '@keepset/ceremony';
import { printVerifierKey } from '@keepset/log';
import { printInvite } from '@keepset/transport';
import { partyName } from '@keepset/wire';
import { registerAuditRoutes } from './audit/routes.ts';
import { registerEnrolmentRoutes } from './enrolment/routes.ts';
import { createCode } from './enrolment/service.ts';
import { enrolmentStore, type EnrolmentStore } from './enrolment/store.ts';
import { createApp } from './http/app.ts';
import { authenticator } from './http/authentication.ts';
import { isKekInsideData, type ServerOptions } from './options.ts';
import { registerPartyRoutes } from './party/routes.ts';
import { givenCertificate, selfMadeCertificate, type TlsIdentity } from './secrets/certificate.ts';
import {
  isUnsealed,
  loadIdentity,
  loadLogSigner,
  serverSecrets,
  type ServerSecrets,
} from './secrets/identity.ts';
import { hashOfCode, newCode } from './secrets/codes.ts';
import { fileKek, type KekProvider } from './secrets/kek.ts';
import { shareSealer } from './secrets/shares.ts';
import { openDatabase, type Database } from './store/database.ts';
import { logStore } from './store/log.ts';
import { partyStore } from './store/party.ts';

/** A server that accepts requests. */
export interface RunningServer {
  /** `https://host:port` as devices reach it. */
  readonly url: string;
  /** C2SP verifier key of its log. */
  readonly logKey: string;
  readonly deviceCount: number;
  /** Makes a one-time invitation for a new tenant. */
  invite(): string;
  /** What the operator should know. */
  readonly warnings: readonly string[];
  /** Lets running requests finish, then stops. */
  close(): Promise<void>;
}

interface Foundation {
  readonly database: Database;
  readonly kek: KekProvider;
  readonly secrets: ServerSecrets;
  readonly enrolments: EnrolmentStore;
  readonly tls: TlsIdentity;
}

const unixSeconds = (): number => Math.floor(Date.now() / 1000);

/** Opens what both a running server and its operator's commands need. */
const layFoundation = async (options: ServerOptions): Promise<Foundation> => {
  makeFolder(options.dataDir);
  const database = openDatabase(join(options.dataDir, 'keepset.db'));
  try {
    const kek = fileKek(options.kekFile, { create: isUnsealed(database) });
    const secrets = serverSecrets(database, kek);
    const tls =
      options.tls === undefined
        ? await selfMadeCertificate(secrets, options.host)
        : givenCertificate(options.tls.cert, options.tls.key);
    return { database, kek, secrets, tls, enrolments: enrolmentStore(database) };
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

/** Starts a commitment server. @throws KeepsetError of family `store/`, `input/` or `transport/` */
export const startServer = async (options: ServerOptions): Promise<RunningServer> => {
  parseAs(partyName, options.party, `party name ${options.party}`, 'input/invalid-argument');
  const { database, kek, secrets, tls, enrolments } = await layFoundation(options);
  try {
    const identity = await loadIdentity(secrets);
    const logSigner = await loadLogSigner(secrets, `keepset.log/${identity.signer.keyId}`);
    const log = logStore(database, logSigner);
    const handler = party1Handler({
      party: options.party,
      schemes: supportedSchemes,
      store: partyStore(database, log, unixSeconds),
      sealer: shareSealer(kek, options.party),
      now: () => performance.now(),
      sleep: (ms) => setTimeout(Math.max(0, ms), undefined, { ref: false }),
    });
    // Standard output belongs to the command's result.
    const logger = pino({ level: options.logLevel, base: null }, pino.destination(2));
    const app = await createApp({ tls, logger });
    const auth = authenticator(enrolments, unixSeconds);
    const logKey = printVerifierKey(logSigner.key);
    registerEnrolmentRoutes(app, {
      store: enrolments,
      announcement: { serverParty: options.party, serverKey: identity.publicKey, logKey },
      authenticator: auth,
      identity,
      now: unixSeconds,
    });
    registerPartyRoutes(app, { handler, authenticator: auth, identity, now: unixSeconds });
    registerAuditRoutes(app, log);
    const address = await listen(() => app.listen({ host: options.host, port: options.port }));
    const url = options.publicUrl ?? address;
    return {
      url,
      logKey,
      deviceCount: enrolments.countDevices(),
      invite: () => inviteTo(url, tls, enrolments),
      warnings: warningsOf(options),
      close: async () => {
        await app.close();
        database.close();
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
};

/** Makes an invitation without starting the server; it may be running elsewhere on the same data folder. */
export const createInvite = async (
  options: ServerOptions & { readonly publicUrl: string },
): Promise<string> => {
  const { database, enrolments, tls } = await layFoundation(options);
  try {
    return inviteTo(options.publicUrl, tls, enrolments);
  } finally {
    database.close();
  }
};

const approvalLifetime = 60 * 60;

/**
 * Approves one reshare or repair of a key, within an hour. For the server's operator.
 * @throws KeepsetError `input/unknown-key`
 */
export const createApproval = async (options: ServerOptions, keyId: string): Promise<string> => {
  const { database } = await layFoundation(options);
  try {
    if (database.prepare('SELECT 1 FROM keys WHERE key_id = ?').get(keyId) === undefined)
      throw new KeepsetError('input/unknown-key', `This server has no key ${keyId}.`);
    const code = newCode();
    database
      .prepare('INSERT INTO approvals (code_hash, key_id, expires_at) VALUES (?, ?, ?)')
      .run(hashOfCode(code), keyId, unixSeconds() + approvalLifetime);
    return code;
  } finally {
    database.close();
  }
};

const inviteTo = (server: string, tls: TlsIdentity, store: EnrolmentStore): string =>
  printInvite({
    server,
    code: createCode(store, unixSeconds()),
    ...(tls.pin === undefined ? {} : { pin: tls.pin }),
  });

const listen = async (start: () => Promise<string>): Promise<string> => {
  try {
    return await start();
  } catch (cause) {
    throw new KeepsetError('transport/unreachable', 'The server cannot listen at this address.', {
      hint: 'Another program may use the port: choose one with --port, or 0 for any free one.',
      cause,
    });
  }
};

const warningsOf = (options: ServerOptions): string[] => {
  const warnings: string[] = [];
  if (isKekInsideData(options))
    warnings.push(
      'The key-encryption key lies inside the data folder: a copy of the folder opens every share.',
    );
  if (options.tls === undefined)
    warnings.push(
      'TLS uses a self-made certificate. Devices pin it when they enrol; browsers will not trust it.',
    );
  return warnings;
};
