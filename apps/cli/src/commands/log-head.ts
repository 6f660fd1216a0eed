import { acceptRestoredLog, printLogHead } from '@keepset/ceremony';
import { KeepsetError } from '@keepset/bytes';
import { readLogHead } from '@keepset/server';
import type { Command } from '../command.ts';
import { withDevice } from '../home/device.ts';
import { passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { readServerOptions, serverDataOptions } from '../server-options.ts';

export const logHead: Command = {
  name: 'log-head',
  summary: 'Print the head of the server’s log, on the server',
  usage: '[--data DIR] [--kek FILE]',
  positionals: [0, 0],
  options: serverDataOptions,
  examples: ['keepset log-head'],
  run: async ({ options, terminal }) => {
    const head = await readLogHead(readServerOptions(options));
    const text = printLogHead(head);
    terminal.result({ head: text, size: head.size }, [
      `The log has ${head.size} entries: ${text}`,
      'After a restore from a backup, devices go on with this log by:',
      `  keepset accept-log ${text}`,
    ]);
  },
};

export const acceptLog: Command = {
  name: 'accept-log',
  summary: 'Go on with a server whose log was restored from an older backup',
  usage: 'HEAD [--yes]',
  positionals: [1, 1],
  options: {
    yes: { type: 'boolean', short: 'y', help: 'Accept it without asking' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: ['keepset accept-log 41-k3v6y2mzq5r7t4xw2b6c5d3e7a'],
  run: ({ positionals, options, terminal }) =>
    withDevice(options, terminal, async ({ device }) => {
      const head = await acceptRestoredLog(device, positionals[0] ?? '', async ({ known, offered }) => {
        terminal.note(`This device has seen ${known?.size ?? 0} entries; the server offers ${offered.size}.`);
        terminal.note('What is missing is forgotten there: signatures, and freezes and revocations too.');
        const accepts =
          options['yes'] === true ||
          (terminal.canAsk && (await terminal.askYesNo('Go on with the restored log?')));
        if (!accepts)
          throw new KeepsetError('policy/forbidden', 'The restored log was not accepted.', {
            hint: 'Ask the operator which entries are missing, then repeat with --yes.',
          });
      });
      terminal.result({ size: head.size, head: printLogHead(head) }, [
        `Pinned: ${head.size} entries. The earlier pin is kept beside it.`,
        'Next: keepset refresh, so that a share the server may have forgotten is worth nothing by itself.',
      ]);
    }),
};
