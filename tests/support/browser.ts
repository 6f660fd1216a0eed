/** A real browser with a passkey provider in software, driven from outside. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type CDPSession, type Page } from 'playwright-core';
import { afterAll } from 'vitest';
import { projectRoot, temporaryFolder } from './folders.ts';

/** What the provider can and does. */
export interface ProviderOptions {
  readonly hasPrf?: boolean;
  /** Whether its user agrees. One whose user did not agree is blocked from then on. */
  readonly agrees?: boolean;
}

/** A browser with one page and one passkey provider. It holds three passkeys; their secrets cannot be got out of it. */
export interface TestBrowser {
  readonly page: Page;
  /** Ids of the passkeys there are. */
  passkeys(): Promise<readonly string[]>;
  remove(credentialId: string): Promise<void>;
  /** Another provider in place of this one, with no passkeys yet. */
  replaceProvider(options?: ProviderOptions): Promise<void>;
}

const programs = JSON.parse(
  readFileSync(join(projectRoot, 'scripts', 'browsers.json'), 'utf8'),
) as readonly string[];

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let running: Browser | undefined;
afterAll(() => running?.close());

/** Opens a browser; one for a test file. */
export const openBrowser = async (): Promise<TestBrowser> => {
  const executablePath = programs.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error('this test needs Chromium: `npm test` installs it');
  const home = temporaryFolder();
  running = await chromium.launch({ executablePath, args: flags, env: { ...process.env, HOME: home } });
  const page = await running.newPage();
  // A busy machine takes its time.
  page.setDefaultTimeout(120_000);
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  let authenticatorId = await addProvider(session, {});
  return {
    page,
    passkeys: async () => {
      const { credentials } = await session.send('WebAuthn.getCredentials', { authenticatorId });
      return credentials.map(({ credentialId }) => credentialId);
    },
    remove: async (credentialId) => {
      await session.send('WebAuthn.removeCredential', { authenticatorId, credentialId });
    },
    replaceProvider: async (options = {}) => {
      await session.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
      authenticatorId = await addProvider(session, options);
    },
  };
};

const addProvider = async (
  session: CDPSession,
  { hasPrf = true, agrees = true }: ProviderOptions,
): Promise<string> => {
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: agrees,
      automaticPresenceSimulation: true,
      hasPrf,
    },
  });
  return authenticatorId;
};
