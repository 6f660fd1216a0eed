import { setTimeout } from 'node:timers/promises';
import pino from 'pino';
import { KeepsetError, parseAs } from '@keepset/bytes';
import { party1Handler, supportedSchemes } from '@keepset/ceremony';
import { partyName } from '@keepset/wire';
import { registerAuditRoutes } from './audit/routes.ts';
import { registerEnrolmentRoutes } from './enrolment/routes.ts';
import { inviteTo, layFoundation, unixSeconds } from './foundation.ts';
import { createApp } from './http/app.ts';
import { authenticator } from './http/authentication.ts';
import { isKekInsideData, type ServerOptions } from './options.ts';
import { registerKitRoutes } from './kits/routes.ts';
import { kitStore } from './kits/store.ts';
import { registerPartyRoutes } from './party/routes.ts';
import { shareSealer } from './secrets/shares.ts';
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

/** Starts a commitment server. @throws KeepsetError of family `store/`, `input/` or `transport/` */
export const startServer = async (options: ServerOptions): Promise<RunningServer> => {
  parseAs(partyName, options.party, `party name ${options.party}`, 'input/invalid-argument');
  const foundation = await layFoundation(options);
  const { database, kek, identity, log, logKey, tls, enrolments } = foundation;
  const stopping = new AbortController();
  const sleep = (ms: number): Promise<void> =>
    setTimeout(ms, undefined, { ref: false, signal: stopping.signal }).catch(() => undefined);
  try {
    const handler = party1Handler({
      party: options.party,
      schemes: supportedSchemes,
      store: partyStore(database, log, unixSeconds),
      sealer: shareSealer(kek, options.party),
      now: () => performance.now(),
      sleep,
    });
    // Standard output belongs to the command's result.
    const logger = pino({ level: options.logLevel, base: null }, pino.destination(2));
    const app = await createApp({ tls, logger });
    const auth = authenticator(enrolments, unixSeconds);
    registerEnrolmentRoutes(app, {
      store: enrolments,
      announcement: { serverParty: options.party, serverKey: identity.publicKey, logKey },
      authenticator: auth,
      identity,
      now: unixSeconds,
    });
    registerPartyRoutes(app, { handler, authenticator: auth, identity, now: unixSeconds });
    registerKitRoutes(app, { store: kitStore(database), authenticator: auth, identity, now: unixSeconds });
    registerAuditRoutes(app, log);
    const address = await listen(() => app.listen({ host: options.host, port: options.port }));
    const url = options.publicUrl ?? address;
    return {
      url,
      logKey,
      deviceCount: enrolments.countDevices(),
      invite: () => inviteTo(url, foundation),
      warnings: warningsOf(options),
      close: async () => {
        stopping.abort();
        await app.close();
        database.close();
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
};

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
