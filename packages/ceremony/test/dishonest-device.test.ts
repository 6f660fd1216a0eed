/**
 * Keys of which the server holds no share. What a device has not compared with all others must not become final, not even
 * where one of them is dishonest and the server lies for it.
 */
import { expect, it } from 'vitest';
import { decodeCbor, encodeCbor } from '@keepset/bytes';
import type { ProtocolMessage } from '@keepset/threshold';
import {
  closeServer,
  deviceOf,
  newWorld,
  openDevice,
  openServer,
  wireTo,
  type OpenServer,
  type World,
} from '../../../tests/support/crash.ts';
import {
  joinGroup,
  joinKeygen,
  runKeygen,
  settleOpenSessions,
  type DeviceParty,
  type Group,
  type OpenSession,
} from '../src/index.ts';

/** Confirms to the others another transcript than it has. */
const falseConfirmation = (message: ProtocolMessage): ProtocolMessage => {
  const body = decodeCbor(message.body) as Record<string, unknown>;
  const { transcript } = body;
  if (!(transcript instanceof Uint8Array)) return message;
  return { ...message, body: encodeCbor({ ...body, transcript: transcript.map((byte) => byte ^ 1) }) };
};

const withFalseConfirmations = (group: Group): Group => ({
  ...group,
  peers: { ...group.peers, seal: (messages) => group.peers.seal(messages.map(falseConfirmation)) },
});

const open = (world: World, server: OpenServer, party: string): Promise<DeviceParty> =>
  openDevice(world, wireTo(server, deviceOf(world, party).caller), { party });

/** The server says of whatever it is asked that it is committed, with an entry in its log. */
const lyingAbout = (
  device: DeviceParty,
  server: OpenServer,
  entries: readonly OpenSession[],
): DeviceParty => ({
  ...device,
  transport: {
    ...device.transport,
    resolve: (session, { head } = {}) => {
      const { kind, keyId, epoch } = entries[0]!;
      const act = { ...device.account, kind, session, keyId, epoch };
      return Promise.resolve({
        session,
        state: 'committed',
        keyId,
        evidence: server.log.append(act, head, Math.floor(Date.now() / 1000)),
      });
    },
  },
});

it.each(['ed25519', 'ecdsa-p256'] as const)(
  'a %s key whose transcripts differ is no key, whatever the server says of it later',
  async (scheme) => {
    const world = await newWorld(['phone', 'usb']);
    const server = await openServer(world);
    const [phone, usb] = [await open(world, server, 'phone'), await open(world, server, 'usb')];
    const joined: Promise<unknown>[] = [];
    const order = { scheme, policy: 'and(phone,usb)' };
    const made = runKeygen(phone, order, {
      compare: () => Promise.resolve(),
      announce: ({ codes }) => {
        for (const { code } of codes)
          joined.push(
            joinGroup(usb, code)
              .then((group) => joinKeygen(usb, withFalseConfirmations(group)))
              .catch(() => undefined),
          );
      },
    });
    await expect(made).rejects.toMatchObject({ code: 'abort/transcript-mismatch' });
    server.passTime();
    const deceived = lyingAbout(phone, server, await phone.journal.list());
    await settleOpenSessions(deceived);
    expect(await phone.vault.list()).toEqual([]);
    expect(await phone.journal.list()).toEqual([]);
    await Promise.all(joined);
    closeServer(server);
  },
);
