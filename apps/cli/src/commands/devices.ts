import { listDevices, revokeDevice, type EnrolledDevice } from '@keepset/server';
import type { Command } from '../command.ts';
import { readServerOptions, serverDataOptions } from '../server-options.ts';

export const devices: Command = {
  name: 'devices',
  summary: 'List the devices that are enrolled, on the server',
  usage: '[--data DIR] [--kek FILE]',
  positionals: [0, 0],
  options: serverDataOptions,
  examples: ['keepset devices', 'keepset devices --json'],
  run: async ({ options, terminal }) => {
    const all = await listDevices(readServerOptions(options));
    const lines = all.flatMap((device, at) => [
      ...(device.tenant === all[at - 1]?.tenant ? [] : [`User ${device.tenant}`]),
      ...describe(device, all),
    ]);
    terminal.result(
      {
        devices: all.map(({ tenant, device, party, enrolledAt, seenAt, revokedAt }) => ({
          tenant,
          device,
          party,
          enrolledAt: dateOf(enrolledAt),
          ...(seenAt === undefined ? {} : { seenAt: dateOf(seenAt) }),
          ...(revokedAt === undefined ? {} : { revokedAt: dateOf(revokedAt) }),
        })),
      },
      lines.length === 0 ? ['No device is enrolled yet. Invite one with `keepset invite`.'] : lines,
    );
  },
};

export const revoke: Command = {
  name: 'revoke',
  summary: 'Refuse a device for ever, on the server',
  usage: 'DEVICE [--data DIR] [--kek FILE]',
  positionals: [1, 1],
  options: serverDataOptions,
  examples: ['keepset revoke 3f0c9a44d1b75e26a8c0f3b1d2e49f57'],
  run: async ({ positionals, options, terminal }) => {
    const device = positionals[0] ?? '';
    const isNew = await revokeDevice(readServerOptions(options), device);
    terminal.result({ device, revoked: true, before: !isNew }, [
      isNew
        ? `Device ${device} is refused from now on; open invitations of its user are void.`
        : `Device ${device} was revoked before.`,
      'Its share is still a share: reshare its keys without it (`keepset approve KEY`).',
    ]);
  },
};

const dateOf = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 19) + 'Z';

const describe = (device: EnrolledDevice, all: readonly EnrolledDevice[]): string[] => {
  const { tenant, party, enrolledAt, seenAt, revokedAt } = device;
  const isActive = revokedAt === undefined;
  const rivals = all.filter(
    (other) =>
      other !== device && other.tenant === tenant && other.party === party && other.revokedAt === undefined,
  );
  return [
    `  ${device.device}  ${party}${isActive ? '' : '  (revoked)'}`,
    `    enrolled ${dateOf(enrolledAt)}, ${seenAt === undefined ? 'never seen' : `last seen ${dateOf(seenAt)}`}` +
      (isActive ? '' : `, revoked ${dateOf(revokedAt)}`),
    ...(isActive && rivals.length > 0
      ? [`    another active device is enrolled as ${party} too: revoke the one that is not in use`]
      : []),
  ];
};
