import type { Command } from '../command.ts';
import { textOption } from '../command.ts';
import { copyPassphraseOption, passphraseOptions } from '../home/passphrase.ts';
import { homeOptions, homePaths } from '../home/paths.ts';
import { passkeyOptions } from '../passkey/way.ts';
import { olderOption } from '../places/kits-at-server.ts';
import { codeOptions } from '../places/recovery-code.ts';
import { finishRecovery, hasNothingLeft, resumable } from '../recovery/finish.ts';
import { recoverByRepair } from '../recovery/by-repair.ts';
import { recoverFromCopy } from '../recovery/from-copy.ts';
import { recoverServerGone, recoverServerRestored } from '../recovery/server.ts';

export const recover: Command = {
  name: 'recover',
  summary: 'Bring a lost or stolen device’s share back, and make a stolen copy worthless',
  usage:
    '--lost | --stolen  --from COPY [PICTURE…] | --keyring  [--invite URL]  |  --server-gone  |  --server-restored',
  positionals: [0, 100],
  options: {
    lost: { type: 'boolean', help: 'The device is lost or broken; nobody else can have it' },
    stolen: { type: 'boolean', help: 'Somebody else has it, or may have it' },
    from: {
      type: 'string',
      value: 'COPY',
      help: 'Stick, folder, Finder backup, share file, or scanned sheet',
    },
    keyring: { type: 'boolean', help: 'The copy is in the keyring of this desktop' },
    invite: {
      type: 'string',
      value: 'URL',
      help: 'Invitation for this computer, when it is not enrolled yet',
    },
    ...codeOptions,
    ...passkeyOptions,
    ...olderOption,
    ...copyPassphraseOption,
    kit: { type: 'string', value: 'KIT', help: 'Which container, where a stick has several' },
    key: { type: 'string', value: 'KEY', help: 'Which key, where there are copies of several' },
    party: { type: 'string', value: 'NAME', help: 'Which party, where there are copies of several' },
    join: { type: 'string', value: 'CODE', help: 'No copy is left: what `keepset repair` showed elsewhere' },
    later: { type: 'boolean', help: 'Restore now, refresh later: other shares must be recovered first' },
    'reshare-to': { type: 'string', value: 'POLICY', help: 'End with this policy, without the lost parties' },
    with: { type: 'string', value: 'PARTY,…', help: 'With --reshare-to: other devices that help' },
    approval: { type: 'string', value: 'CODE', help: 'What `keepset approve KEY` printed on the server' },
    'server-gone': { type: 'boolean', help: 'It is the server that is gone for good' },
    abandon: { type: 'boolean', help: 'With --server-gone: give up what the old server never finished' },
    'server-restored': { type: 'boolean', help: 'The server was restored from an older backup' },
    'log-head': {
      type: 'string',
      value: 'HEAD',
      help: 'What `keepset log-head` printed on the restored server',
    },
    passphrase: { type: 'boolean', help: 'Protect this device’s keys with a passphrase' },
    yes: { type: 'boolean', short: 'y', help: 'Do not ask before going on' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    "keepset recover --lost --from /media/stick --code - --invite 'https://…'",
    "keepset recover --stolen --from page-1.png page-2.png code.png --invite 'https://…'",
    "keepset recover --lost --from ~/'Library/Mobile Documents/…' --identity code.txt --invite 'https://…'",
    "keepset recover --lost --from ~/Drive --passkey --invite 'https://…'",
    'keepset recover --server-gone                       # which keys can leave it, and how',
    'keepset recover                                     # goes on where it was cut off',
    'keepset recover --approval 7qk2…                    # stolen: goes on once the operator approved',
  ],
  run: async (invocation) => {
    const { options } = invocation;
    const paths = homePaths(options);
    if (options['server-gone'] === true) return recoverServerGone(invocation, paths);
    if (options['server-restored'] === true) return recoverServerRestored(invocation);
    if (textOption(options, 'join') !== undefined) return recoverByRepair(invocation, paths);
    const saysWhere = textOption(options, 'from') !== undefined || options['keyring'] === true;
    if (saysWhere) return recoverFromCopy(invocation, paths);
    const begun = await resumable(options, paths);
    if (begun !== undefined) return finishRecovery(invocation, paths, begun);
    if (!(await hasNothingLeft(invocation, paths))) await recoverFromCopy(invocation, paths);
  },
};
