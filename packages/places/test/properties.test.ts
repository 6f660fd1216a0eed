import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  icloudKeychainPlace,
  losses,
  memoryAccount,
  memoryPhone,
  openEnclavePlace,
  openProtectedFilePlace,
  placeKinds,
  propertiesOf,
  survivalTable,
  thefts,
  theftTable,
  type Loss,
  type MemoryPhone,
  type NativeVault,
  type SharePlace,
} from '../src/index.ts';
import { copyOf, nameA } from './contract.ts';

describe('the tables', () => {
  it('have a row for each place and fit 80 columns', () => {
    for (const [table, columns] of [
      [survivalTable(), losses.length],
      [theftTable(), thefts.length],
    ] as const) {
      const lines = table.trimEnd().split('\n');
      expect(lines).toHaveLength(placeKinds.length + 2);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
      for (const [n, kind] of placeKinds.entries()) {
        const line = lines[n + 2]!;
        expect(line.startsWith(propertiesOf(kind).title)).toBe(true);
        expect(line.slice(propertiesOf(kind).title.length).trim().split(/\s+/)).toHaveLength(columns);
      }
    }
  });

  it('call no place safe from everything', () => {
    for (const kind of placeKinds) {
      const { survives, yields, caution, openedBy } = propertiesOf(kind);
      expect(Object.values(survives).every((answer) => answer === 'yes')).toBe(false);
      expect(Object.values(yields).every((gain) => gain === 'nothing')).toBe(false);
      expect([caution, openedBy].every((text) => text.length > 10)).toBe(true);
    }
  });
});

/** What the table says of a phone's places is what the phone does. */
describe('the phone bears out', () => {
  const opened: Readonly<Record<string, (vault: NativeVault) => Promise<SharePlace>>> = {
    'secure-enclave': openEnclavePlace,
    'protected-file': (vault) => openProtectedFilePlace(vault, { inBackup: false }),
    'icloud-keychain': async (vault) => icloudKeychainPlace(vault),
  };
  /** What happens, and the phone that is left afterwards. */
  const account = memoryAccount();
  const events: readonly (readonly [Loss, (phone: MemoryPhone) => MemoryPhone])[] = [
    [
      'phone-erased',
      (phone) => {
        phone.erase();
        return phone;
      },
    ],
    ['phone-lost', () => memoryPhone(account)],
    [
      'account-lost',
      (phone) => {
        account.items.clear();
        return phone;
      },
    ],
    [
      'face-changed',
      (phone) => {
        phone.enrolBiometry();
        return phone;
      },
    ],
  ];

  it.each(events)('%s', async (loss, happen) => {
    for (const [kind, open] of Object.entries(opened)) {
      const phone = memoryPhone(account);
      await (await open(phone.vault)).put(nameA, copyOf('x'), { generation: 1 });
      const left = await open(happen(phone).vault);
      const found = (await left.get(nameA)) === null ? 'no' : 'yes';
      const declared = left.describe().survives[loss];
      // `maybe` promises nothing.
      expect(declared === 'maybe' ? found : declared, `${kind} ${loss}`).toBe(found);
      account.items.clear();
    }
  });
});

it('the documentation shows the tables as they are', () => {
  const text = readFileSync(new URL('../../../docs/secure-usage.md', import.meta.url), 'utf8');
  for (const table of [survivalTable(), theftTable()]) expect(text).toContain(`\`\`\`\n${table}\`\`\`\n`);
});
