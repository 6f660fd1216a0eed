import { expect, test } from 'vitest';
import type { GroupKey } from '@keepset/ceremony';
import type { Intent } from '@keepset/intent';
import { describeRepair } from '../src/commands/life.ts';
import { describeIntent } from '../src/intents.ts';
import { silentTerminal } from '../../../tests/support/device.ts';

test('a label of any length stands apart from its value', async () => {
  const notes: string[] = [];
  const terminal = { ...silentTerminal, json: false, note: (text: string) => notes.push(text) };
  const description = [
    { label: 'Fee', value: '1 sat' },
    { label: 'Leaves this key', value: '2 sat' },
  ];
  await describeIntent({ description, warnings: [] } as unknown as Intent, 'key', true, terminal);
  expect(notes.slice(1)).toEqual(['  Fee           1 sat', '  Leaves this key 2 sat']);
});

test('nobody is told that a repair makes old copies worthless', () => {
  const group = { keyId: 'k', epoch: 2 } as GroupKey;
  const text = describeRepair('laptop', group, { copies: [], retired: false, damagedEntries: [] })[1].join(
    ' ',
  );
  expect(text).toContain('revokes nothing');
  expect(text).not.toContain('worth nothing');
});
