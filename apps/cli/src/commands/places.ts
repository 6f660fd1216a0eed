import { bullet, wrap } from '@keepset/access';
import { placeKinds, propertiesOf, survivalTable, theftTable } from '@keepset/places';
import type { Command } from '../command.ts';

export const places: Command = {
  name: 'places',
  summary: 'Say which place survives what, and what a thief gets there; needs no server',
  usage: '',
  positionals: [0, 0],
  options: {},
  examples: ['keepset places', 'keepset places --json'],
  run: async ({ terminal }) => {
    const declared = placeKinds.map(propertiesOf);
    terminal.result({ places: declared }, [
      'Recoverability: does a copy there survive?',
      ...linesOf(survivalTable()),
      ...wrap(
        '“maybe” depends on where it is kept or how it was set up: count it as lost until that is known.',
      ),
      '',
      'Confidentiality: what does somebody else get, at worst?',
      ...linesOf(theftTable()),
      ...wrap('“ciphertext” is a sealed copy whose key is elsewhere; “share” is the share itself.'),
      '',
      'What opens a copy, and what is most often overlooked:',
      ...declared.flatMap(({ title, openedBy, caution }) => bullet(`${title}: ${openedBy}. ${caution}`)),
      '',
      ...wrap(
        'Copies of one share are no parties: any one of them is the share. See `keepset policy explain` for what the policy adds.',
      ),
    ]);
  },
};

const linesOf = (table: string): readonly string[] => table.trimEnd().split('\n');
