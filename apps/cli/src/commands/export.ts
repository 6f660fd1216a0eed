import type { Command } from '../command.ts';
import { copyPassphraseOption, passphraseOptions } from '../home/passphrase.ts';
import { homeOptions } from '../home/paths.ts';
import { codeOptions } from '../places/recovery-code.ts';
import { exportKey } from '../recovery/export-key.ts';
import { privateForms } from '../recovery/private-key.ts';

export const exportCommand: Command = {
  name: 'export',
  summary: 'Last resort: put the key together from copies and leave Keepset',
  usage: '--last-resort COPY… --out FILE  (COPY: stick, folder, Finder backup or share file)',
  positionals: [0, 32],
  options: {
    'last-resort': { type: 'boolean', help: 'Say that you mean it; read the warning first' },
    out: { type: 'string', value: 'FILE', help: 'New file for the private key, in clear' },
    as: {
      type: 'string',
      value: 'FORM',
      help: `${privateForms.join(', ')} (default: pem; ed25519: expanded)`,
    },
    key: { type: 'string', value: 'KEY', help: 'Which key, where there are copies of several' },
    ...codeOptions,
    ...copyPassphraseOption,
    confirm: { type: 'string', value: 'KEY', help: 'The whole key id, instead of typing it when asked' },
    offline: { type: 'boolean', help: 'The server cannot be reached: note the export in a file only' },
    ...passphraseOptions,
    ...homeOptions,
  },
  examples: [
    'keepset export --last-resort /media/stick cloud-copy.age --identity codes.txt --out key.pem',
    'keepset export --last-resort stick paper.age --identity codes.txt --as wif --out key.wif --confirm KEY',
  ],
  run: exportKey,
};
