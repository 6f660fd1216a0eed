import { toHex } from '@keepset/bytes';
import type { GroupKey, Scheme } from '@keepset/ceremony';
import { address, ethereumAddress, signingKey, spkiPem, sshPublicKey } from '@keepset/intent';
import { tagRecipient } from '@keepset/wire';
import type { Command } from '../command.ts';
import { withDevice } from '../home/device.ts';
import { findKeyId } from '../home/keys.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions, homePaths } from '../home/paths.ts';
import { healthOfKey, unlooked } from '../places/health/health.ts';
import { protectionLine } from '../places/health/lines.ts';
import { quorumLines } from '../policy/quorums.ts';
import { standingOf } from '../policy/standing.ts';
import { verbOf } from '../schemes.ts';

export const show: Command = {
  name: 'show',
  summary: 'Show a key: policy, parties, public key in the forms programs take',
  usage: '[KEY]',
  positionals: [0, 1],
  options: { ...passphraseOptions, ...homeOptions },
  examples: ['keepset show', 'keepset show 4osh --json', 'keepset show --json | jq -r .forms.ssh > key.pub'],
  run: ({ positionals, options, terminal }) =>
    withDevice(options, terminal, async ({ device, account }) => {
      const keyId = await findKeyId(device.vault, positionals[0]);
      const share = await device.vault.open(keyId);
      share.secret.wipe();
      const { group, party } = share;
      const written = publicForms(group);
      const paths = homePaths(options);
      const { protection } = await healthOfKey({ paths, vault: device.vault }, keyId, unlooked);
      const { scheme, epoch, policy, parties, threshold } = group;
      const standing = standingOf(policy);
      terminal.result(
        {
          keyId,
          scheme,
          epoch,
          policy,
          parties,
          threshold,
          ...standing.data,
          party,
          protected: protection.isProtected,
          publicKey: toHex(group.publicKey),
          forms: written,
        },
        [
          `Key ${keyId}`,
          `  scheme      ${scheme}`,
          ...policyLines(policy, verbOf(scheme)),
          ...standing.lines,
          `  epoch       ${epoch}`,
          `  this device ${party}, its share in ${paths.shares}`,
          `  server      ${account.serverParty} at ${account.server}`,
          `  public key  ${toHex(group.publicKey)}`,
          `  copies      ${protectionLine(protection)}`,
          ...Object.entries(written).flatMap(([name, text]) => [
            '',
            `${name}:`,
            ...text
              .trimEnd()
              .split('\n')
              .map((line) => `  ${line}`),
          ]),
        ],
      );
    }),
};

/** The policy, and what it asks for in plain words. */
const policyLines = (policy: string, verb: 'sign' | 'open'): readonly string[] => {
  const [first = '', ...others] = quorumLines(policy, verb);
  if (others.length === 0) return [`  policy      ${policy}: ${first}`];
  return [
    `  policy      ${policy}`,
    `  who ${verb}s   ${first}`,
    ...others.map((line) => `              ${line}`),
  ];
};

/** The public key as other programs read it. */
export const publicForms = (group: GroupKey): Readonly<Record<string, string>> => forms[group.scheme](group);

const ssh = (group: GroupKey): string => sshPublicKey(signingKey(group), `keepset-${group.keyId}`);

const forms: Readonly<Record<Scheme, (group: GroupKey) => Readonly<Record<string, string>>>> = {
  ed25519: (group) => ({ ssh: ssh(group), pem: spkiPem(signingKey(group)) }),
  'schnorr-secp256k1': (group) => ({
    xonly: toHex(group.publicKey.subarray(1)),
    taproot: address(signingKey(group)),
  }),
  'ecdsa-secp256k1': (group) => ({
    pem: spkiPem(signingKey(group)),
    bitcoin: address(signingKey(group)),
    ethereum: ethereumAddress(signingKey(group)),
  }),
  'ecdsa-p256': (group) => ({ ssh: ssh(group), pem: spkiPem(signingKey(group)) }),
  'ecdh-p256': (group) => ({ age: tagRecipient(group.publicKey) }),
};
