/** How several devices come together in one session; the server only passes sealed messages on. */
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { systemRng, type GroupKey, type ProtocolMessage } from '@keepset/threshold';
import {
  checkDigits,
  generateSessionKeys,
  openEnvelope,
  openHello,
  openRoster,
  parseJoinCode,
  printJoinCode,
  scryptInline,
  sealEnvelope,
  sealHello,
  sealRoster,
  type JoinCode,
  type Member,
  type RelayedBlob,
  type Roster,
  type SessionKeys,
  type SessionStart,
  type StepResponse,
} from '@keepset/wire';
import { leaving, openSessionChannel, type SessionChannel } from './channel.ts';
import type { DeviceParty } from './ports.ts';
import type { PeerLink } from './session.ts';

/** A session in which all devices know one another. */
export interface Group {
  readonly channel: SessionChannel;
  readonly roster: Roster;
  /** Must be equal on all devices: people compare them. */
  readonly digits: string;
  readonly peers: PeerLink;
  /** Messages from Party 1 that came meanwhile. */
  readonly early: readonly ProtocolMessage[];
}

/** What a joining device is told, by the device that started the session, about what it joins. */
export interface GroupAnnouncement {
  /** One code for each other device. A code is a secret between the two devices. */
  readonly codes: readonly { readonly party: string; readonly code: string }[];
}

/** Which session to gather for. */
export interface Gathering {
  readonly session: Uint8Array;
  readonly start: SessionStart;
  /** The other devices' parties. */
  readonly others: readonly string[];
  /** The key's public data, for devices that hold no share of it yet. */
  readonly key?: GroupKey;
}

/** Polls of up to ten seconds each before a device that waits for others gives up. */
const patience = 60;

/** What a device asks its owner while other devices come together. */
export interface GroupPrompts {
  /** Shows the join codes. */
  readonly announce: (announcement: GroupAnnouncement) => void;
  /** Lets people compare the digits on all devices; throws to refuse. */
  readonly compare: (group: Pick<Group, 'digits' | 'roster'>) => Promise<void>;
}

/**
 * Starts a session with other devices: announces a join code for each, waits until all have joined, and has the digits
 * compared.
 * @throws KeepsetError `transport/unreachable` when they do not come, `transport/untrusted-peer` for a false one, and
 * whatever the prompts throw. The session is over then.
 */
export const gatherGroup = async (
  device: DeviceParty,
  gathering: Gathering,
  prompts: GroupPrompts,
): Promise<Group> => {
  const channel = await openSessionChannel(device, gathering.session);
  return leaving(channel, async () => {
    const group = await gather(device, channel, gathering, prompts.announce);
    await prompts.compare(group);
    return group;
  });
};

const gather = async (
  device: DeviceParty,
  channel: SessionChannel,
  { session, start, others, key }: Gathering,
  announce: GroupPrompts['announce'],
): Promise<Group> => {
  const rng = device.rng ?? systemRng;
  const codes = new Map<string, JoinCode>(
    others.map((party) => [party, { session, secret: rng(16), initiator: device.party }]),
  );
  const keys = await generateSessionKeys();
  const opening = await channel.step({ start });
  announce({ codes: [...codes].map(([party, code]) => ({ party, code: printJoinCode(code) })) });

  const members = new Map<string, Member>([[device.party, { party: device.party, key: keys.publicKey }]]);
  const early = [...opening.messages];
  for (let polls = 0; members.size <= others.length; polls += 1) {
    const response = await nextNews(channel, polls);
    early.push(...response.messages);
    for (const blob of response.relay ?? []) welcome(members, codes, blob);
  }
  const ordered = [device.party, ...others]
    .map((party) => members.get(party))
    .filter((each) => each !== undefined);
  const roster: Roster = {
    start,
    initiator: device.party,
    members: ordered,
    ...(key === undefined ? {} : { key }),
  };
  const relay = [...codes].map(([party, code]) => ({ party, sealed: sealRoster(code, roster) }));
  early.push(...(await channel.step({ relay })).messages);
  return toGroup(device, channel, roster, keys, early);
};

const welcome = (
  members: Map<string, Member>,
  codes: ReadonlyMap<string, JoinCode>,
  blob: RelayedBlob,
): void => {
  const code = codes.get(blob.party);
  if (code === undefined) throw new KeepsetError('abort/unknown-party', `${blob.party} was not invited.`);
  const hello = openHello(code, blob.sealed);
  if (hello.party !== blob.party || members.has(blob.party))
    throw new KeepsetError(
      'transport/untrusted-peer',
      `${blob.party} introduced itself in another name, or twice.`,
    );
  members.set(hello.party, hello);
};

/**
 * Joins the session that a code is for.
 * @throws KeepsetError `input/malformed` for a bad code, `store/session-void` when the session is over,
 * `transport/untrusted-peer` when the answer was not made with this code.
 */
export const joinGroup = async (device: DeviceParty, codeText: string): Promise<Group> => {
  const code = parseJoinCode(codeText);
  const channel = await openSessionChannel(device, code.session);
  return leaving(channel, () => introduce(device, channel, code));
};

const introduce = async (device: DeviceParty, channel: SessionChannel, code: JoinCode): Promise<Group> => {
  const keys = await generateSessionKeys();
  const hello = sealHello(code, { party: device.party, key: keys.publicKey });
  const early = [...(await channel.step({ relay: [{ party: code.initiator, sealed: hello }] })).messages];
  for (let polls = 0; ; polls += 1) {
    const response = await nextNews(channel, polls);
    early.push(...response.messages);
    const blob = response.relay?.find(({ party }) => party === code.initiator);
    if (blob === undefined) continue;
    const roster = openRoster(code, blob.sealed);
    const me = roster.members.find(({ party }) => party === device.party);
    if (roster.initiator !== code.initiator || me === undefined || !bytesEqual(me.key, keys.publicKey))
      throw new KeepsetError('transport/untrusted-peer', 'The roster does not fit this device.');
    const group = await toGroup(device, channel, roster, keys, early);
    // Members that had the roster first may have sent the first messages of the protocol already.
    const others = response.relay?.filter((each) => each !== blob) ?? [];
    return { ...group, early: [...early, ...(await group.peers.open(others))] };
  }
};

const nextNews = (channel: SessionChannel, polls: number): Promise<StepResponse> => {
  if (polls >= patience)
    throw new KeepsetError('transport/unreachable', 'The other devices did not come.', {
      hint: 'Start again and run `keepset join` on them within ten minutes.',
    });
  return channel.step({});
};

const toGroup = async (
  device: DeviceParty,
  channel: SessionChannel,
  roster: Roster,
  keys: SessionKeys,
  early: readonly ProtocolMessage[],
): Promise<Group> => ({
  channel,
  roster,
  digits: await checkDigits(channel.session, roster, device.scrypt ?? scryptInline),
  peers: peerLink(device, channel.session, roster, keys),
  early,
});

const peerLink = (device: DeviceParty, session: Uint8Array, roster: Roster, keys: SessionKeys): PeerLink => {
  const me = { party: device.party, keys };
  const memberOf = (party: string): Member => {
    const member = roster.members.find((each) => each.party === party);
    if (member === undefined)
      throw new KeepsetError('abort/unknown-party', `${party} is not in this session.`);
    return member;
  };
  return {
    seal: (messages) => {
      const parties = [...new Set(messages.map(({ to }) => to))];
      return Promise.all(
        parties.map(async (party) => {
          const theirs = messages.filter(({ to }) => to === party);
          return { party, sealed: await sealEnvelope(session, me, memberOf(party), theirs) };
        }),
      );
    },
    open: async (blobs) =>
      (
        await Promise.all(
          blobs.map(({ party, sealed }) => openEnvelope(session, memberOf(party), me, sealed)),
        )
      ).flat(),
  };
};
