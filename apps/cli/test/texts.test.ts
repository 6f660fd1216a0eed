import { expect, test } from 'vitest';
import type { GroupKey } from '@keepset/ceremony';
import type { Intent } from '@keepset/intent';
import { describeRepair } from '../src/commands/life.ts';
import { describeIntent } from '../src/intents.ts';
import type { Terminal } from '../src/terminal/terminal.ts';

test('a label of any length stands apart from its value', async () => {
  const notes: string[] = [];
  const terminal: Terminal = {
    json: false,
    canAsk: false,
    result: () => undefined,
    note: (text) => notes.push(text),
    progress: () => undefined,
    askYesNo: () => Promise.resolve(false),
    askSecret: () => Promise.reject(new Error('nobody is there')),
  };
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
