import { KeepsetError } from '@keepset/bytes';
import { scryptInThreadPool } from '@keepset/places';
import { enrol, openChannel, parseInvite, softwareSigner } from '@keepset/transport';
import { encodeIdentityFile, encryptIdentityFile, generateIdentity, wipeIdentity } from '@keepset/wire';
import { saveAccount, type Account } from './account.ts';
import { listIfThere, readIfThere, writeDurably } from './files.ts';
import type { HomePaths } from './paths.ts';

/** Unix seconds. */
export const unixSeconds = (): number => Math.floor(Date.now() / 1000);

/**
 * Makes a device in an empty home: keys first, durably, then the enrolment, then the account.
 * @throws KeepsetError `place/exists` when the home is in use; `transport/enrolment-refused` and others from the server.
 */
export const enrolHome = async (
  paths: HomePaths,
  invitation: string,
  party: string,
  passphrase: string | undefined,
): Promise<Account> => {
  const invite = parseInvite(invitation);
  if ((await readIfThere(paths.account)) !== undefined)
    throw new KeepsetError('place/exists', `${paths.root} is already enrolled.`, {
      hint: 'Use another folder with --home DIR.',
    });
  // A new identity in the place of the one that opens these shares would lose them.
  if ((await listIfThere(paths.shares)).length > 0)
    throw new KeepsetError('place/exists', `${paths.root} holds shares, but no account file.`, {
      hint: 'Put its account.cbor back, or use another folder with --home DIR.',
    });
  const identity = await generateIdentity();
  const channel = openChannel({
    url: invite.server,
    ...(invite.pin === undefined ? {} : { pin: invite.pin }),
  });
  try {
    const createdAt = new Date().toISOString();
    const file =
      passphrase === undefined
        ? encodeIdentityFile(identity, createdAt).reveal()
        : await encryptIdentityFile(identity, createdAt, { passphrase, scrypt: scryptInThreadPool });
    await writeDurably(paths.identity, file);
    const answer = await enrol(
      { channel, signer: softwareSigner(identity.signingKey), now: unixSeconds },
      { code: invite.code, publicKey: identity.publicSigningKey, party },
    );
    const account: Account = {
      ...answer,
      server: invite.server,
      party,
      ...(invite.pin === undefined ? {} : { pin: invite.pin }),
    };
    await saveAccount(paths.account, account);
    return account;
  } finally {
    channel.close();
    wipeIdentity(identity);
  }
};
