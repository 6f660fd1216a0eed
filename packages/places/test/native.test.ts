import { beforeAll, describe, expect, it } from 'vitest';
import { encodeCbor } from '@keepset/bytes';
import { encodeShareFile, openShareFile, sealAge } from '@keepset/wire';
import {
  enclaveIdentity,
  enclaveRecipient,
  icloudKeychainPlace,
  memoryAccount,
  memoryPhone,
  openEnclavePlace,
  openProtectedFilePlace,
  type MemoryPhone,
  type NativeVault,
  type PendingPlace,
  type SharePlace,
} from '../src/index.ts';
import {
  codeOf,
  copyOf,
  describePending,
  describePlace,
  describeSeveral,
  nameA,
  type Subject,
} from './contract.ts';
import { describeFaults } from './faults.ts';
import { makeWriter, type Writer } from './shares.ts';

let writer: Writer;
beforeAll(async () => {
  writer = await makeWriter();
});

const filePlaceOn =
  (prefix: string, open: (vault: NativeVault) => Promise<PendingPlace>) =>
  async (): Promise<Subject<PendingPlace>> => {
    const { vault } = memoryPhone();
    return {
      place: await open(vault),
      reopen: () => open(vault),
      overwrite: async (name, bytes) => {
        const files = (await vault.fileNames()).filter((file) => file.startsWith(`${prefix}/${name.keyId}`));
        for (const file of files) await vault.writeFile(file, bytes, 'complete', false);
      },
    };
  };
const protectedFile = filePlaceOn('shares', (vault) => openProtectedFilePlace(vault, { inBackup: false }));
const enclaveFile = filePlaceOn('enclave', openEnclavePlace);
const icloud = async (): Promise<Subject<SharePlace>> => {
  const { vault } = memoryPhone(memoryAccount());
  return {
    place: icloudKeychainPlace(vault),
    reopen: async () => icloudKeychainPlace(vault),
    overwrite: ({ keyId, epoch }, bytes) =>
      vault.keychainPut({
        account: `keepset.share.${keyId}.${epoch}`,
        data: encodeCbor({ v: 1, generation: 1, bytes }),
        synchronizable: true,
        accessible: 'when-unlocked',
      }),
  };
};

for (const [title, make] of [
  ['Data Protection file', protectedFile],
  ['Secure Enclave file', enclaveFile],
] as const) {
  describePlace(title, make);
  describeSeveral(title, make);
  describePending(title, make);
}
for (const [title, open] of [
  ['Data Protection file', (vault: NativeVault) => openProtectedFilePlace(vault, { inBackup: false })],
  ['Secure Enclave file', openEnclavePlace],
  ['iCloud Keychain', async (vault: NativeVault) => icloudKeychainPlace(vault)],
] as const)
  describeFaults(
    title,
    ({ around }) =>
      open(
        around(memoryPhone(memoryAccount()).vault, [
          'keychainPut',
          'keychainDelete',
          'writeFile',
          'renameFile',
          'removeFile',
        ]),
      ),
    ['place/locked', 'place/full'],
  );
describePlace('iCloud Keychain', icloud);
describeSeveral('iCloud Keychain', icloud);

const sealedTo = (recipient: string): Promise<Uint8Array> =>
  encodeShareFile(
    writer.share,
    { generation: 1, createdAt: '2026-11-22T08:00:00Z' },
    [recipient],
    writer.signer,
  );

describe('a copy wrapped by the Secure Enclave', () => {
  it('opens on its phone and on no other', async () => {
    const [phone, other] = [memoryPhone(), memoryPhone()];
    const key = await phone.vault.createEnclaveKey('user-presence');
    expect(enclaveRecipient(key)).toMatch(/^age1tag1/);
    const file = await sealedTo(enclaveRecipient(key));
    const opened = await openShareFile(file, [enclaveIdentity(phone.vault, key, 'Open the share')]);
    expect(opened.share.party).toBe('phone');
    expect(phone.prompts()).toBe(1);
    expect(await codeOf(openShareFile(file, [enclaveIdentity(other.vault, key, '')]))).toBe('place/damaged');
  });

  it('asks nobody for a face when the file is somebody else’s', async () => {
    const phone = memoryPhone();
    const [own, foreign] = [
      await phone.vault.createEnclaveKey('user-presence'),
      await phone.vault.createEnclaveKey('user-presence'),
    ];
    const file = await sealedTo(enclaveRecipient(foreign));
    expect(await codeOf(openShareFile(file, [enclaveIdentity(phone.vault, own, '')]))).toBe('place/locked');
    expect(await codeOf(openShareFile(await writer.write(1), [enclaveIdentity(phone.vault, own, '')]))).toBe(
      'place/locked',
    );
    expect(phone.prompts()).toBe(0);
  });

  it('stays shut when the user declines or the phone is locked', async () => {
    const phone = memoryPhone();
    const key = await phone.vault.createEnclaveKey('user-presence');
    const file = await sealedTo(enclaveRecipient(key));
    const open = (): Promise<string> => codeOf(openShareFile(file, [enclaveIdentity(phone.vault, key, '')]));
    phone.answerPrompts(false);
    expect(await open()).toBe('place/locked');
    phone.answerPrompts(true);
    phone.lock();
    expect(await open()).toBe('place/locked');
    phone.unlock();
    expect(await open()).toBe('no error');
  });

  it('dies with a new face only if it was bound to the old one', async () => {
    const phone = memoryPhone();
    const bound = await phone.vault.createEnclaveKey('biometry-current-set');
    const lenient = await phone.vault.createEnclaveKey('user-presence');
    const files = await Promise.all([bound, lenient].map((key) => sealedTo(enclaveRecipient(key))));
    phone.enrolBiometry();
    expect(await codeOf(openShareFile(files[0]!, [enclaveIdentity(phone.vault, bound, '')]))).toBe(
      'place/damaged',
    );
    expect(await codeOf(openShareFile(files[1]!, [enclaveIdentity(phone.vault, lenient, '')]))).toBe(
      'no error',
    );
  });

  it('opens beside an ordinary recipient in one file', async () => {
    const { vault } = memoryPhone();
    const key = await vault.createEnclaveKey('unlocked');
    const file = await sealAge(new Uint8Array(9), [enclaveRecipient(key)]);
    expect(file.length).toBeGreaterThan(100);
    const keys = await Promise.all([1, 2, 3].map(() => vault.createEnclaveKey('unlocked')));
    const several = await encodeShareFile(
      writer.share,
      { generation: 1, createdAt: '2026-11-22T08:00:00Z' },
      keys.map(enclaveRecipient),
      writer.signer,
    );
    for (const one of keys)
      expect(await codeOf(openShareFile(several, [enclaveIdentity(vault, one, '')]))).toBe('no error');
  });
});

const stored = async (place: SharePlace): Promise<string> => {
  try {
    const copy = await place.get(nameA);
    return copy === null ? 'nothing' : 'there';
  } catch (error) {
    return String(error);
  }
};
const filled = async (
  phone: MemoryPhone,
): Promise<Record<'file' | 'backed' | 'enclave' | 'icloud', SharePlace>> => {
  const places = {
    file: await openProtectedFilePlace(phone.vault, { inBackup: false }),
    backed: await openProtectedFilePlace(phone.vault, { inBackup: true }),
    enclave: await openEnclavePlace(phone.vault),
    icloud: icloudKeychainPlace(phone.vault),
  };
  for (const place of Object.values(places)) await place.put(nameA, copyOf('x'), { generation: 1 });
  return places;
};
const whatIsLeft = async (phone: MemoryPhone): Promise<Record<string, string>> => ({
  file: await stored(await openProtectedFilePlace(phone.vault, { inBackup: false })),
  backed: await stored(await openProtectedFilePlace(phone.vault, { inBackup: true })),
  enclave: await stored(await openEnclavePlace(phone.vault)),
  icloud: await stored(icloudKeychainPlace(phone.vault)),
});

describe('what survives', () => {
  it('an erased phone: the account', async () => {
    const phone = memoryPhone(memoryAccount());
    await filled(phone);
    phone.erase();
    expect(await whatIsLeft(phone)).toEqual({
      file: 'nothing',
      backed: 'nothing',
      enclave: 'nothing',
      icloud: 'there',
    });
  });

  it('a new phone of the same account: the account', async () => {
    const account = memoryAccount();
    await filled(memoryPhone(account));
    const left = await whatIsLeft(memoryPhone(account));
    expect(left).toEqual({ file: 'nothing', backed: 'nothing', enclave: 'nothing', icloud: 'there' });
    expect((await whatIsLeft(memoryPhone(memoryAccount())))['icloud']).toBe('nothing');
  });

  it('a restored backup on another phone: files in the backup, and the keychain only if it is encrypted', async () => {
    const phone = memoryPhone(memoryAccount());
    await filled(phone);
    for (const encrypted of [true, false]) {
      const other = memoryPhone();
      other.restore(phone.backup(encrypted));
      expect(await whatIsLeft(other)).toEqual({
        file: 'nothing',
        backed: 'there',
        enclave: 'nothing',
        icloud: encrypted ? 'there' : 'nothing',
      });
    }
    phone.restore(phone.backup(false));
    expect((await whatIsLeft(phone))['backed']).toBe('there');
  });

  it('an enclave key: nothing, not even its own phone’s backup', async () => {
    const phone = memoryPhone();
    const key = await phone.vault.createEnclaveKey('unlocked');
    const file = await sealedTo(enclaveRecipient(key));
    phone.restore(phone.backup(true));
    expect(await codeOf(openShareFile(file, [enclaveIdentity(phone.vault, key, '')]))).toBe('place/damaged');
  });
});

describe('iCloud Keychain', () => {
  it('spreads copies and deletions to every phone', async () => {
    const account = memoryAccount();
    const [one, two] = [
      icloudKeychainPlace(memoryPhone(account).vault),
      icloudKeychainPlace(memoryPhone(account).vault),
    ];
    await one.put(nameA, copyOf('x'), { generation: 1 });
    expect(await stored(two)).toBe('there');
    await two.remove(nameA);
    expect(await stored(one)).toBe('nothing');
    expect(await one.health(nameA)).toEqual({ status: 'missing' });
  });

  it('with sync off keeps the copy here and says so', async () => {
    const account = memoryAccount();
    const phone = memoryPhone(account);
    const place = icloudKeychainPlace(phone.vault);
    phone.setSync(false);
    await place.put(nameA, copyOf('x'), { generation: 1 });
    expect(await place.health(nameA)).toMatchObject({ status: 'readable', warning: 'sync-off' });
    expect(await stored(icloudKeychainPlace(memoryPhone(account).vault))).toBe('nothing');
    phone.setSync(true);
    expect(await place.health(nameA)).not.toHaveProperty('warning');
    expect(await stored(icloudKeychainPlace(memoryPhone(account).vault))).toBe('there');
  });

  it('does not list the items of others', async () => {
    const { vault } = memoryPhone(memoryAccount());
    const data = new Uint8Array(3);
    for (const account of ['other', 'keepset.share.x', `keepset.share.${nameA.keyId}.01`])
      await vault.keychainPut({ account, data, synchronizable: true, accessible: 'when-unlocked' });
    expect(await icloudKeychainPlace(vault).list()).toEqual([]);
  });
});

describe('a locked phone', () => {
  it('reads no copy of class Complete and no keychain item, and says locked', async () => {
    const phone = memoryPhone(memoryAccount());
    const places = await filled(phone);
    phone.lock();
    for (const [title, place] of Object.entries(places)) {
      expect(await codeOf(place.get(nameA)), title).toBe('place/locked');
      expect(await place.health(nameA)).toMatchObject({ status: 'unreachable', code: 'place/locked' });
      expect(await codeOf(place.put(nameA, copyOf('y'), { generation: 2 })), title).toBe('place/locked');
    }
    phone.unlock();
    for (const place of Object.values(places)) expect(await stored(place)).toBe('there');
  });
});

describe('the phone in memory refuses what iOS refuses', () => {
  it('keychain flags that exclude each other, and passcode classes without a passcode', async () => {
    const phone = memoryPhone(memoryAccount());
    const put = (
      synchronizable: boolean,
      accessible: Parameters<NativeVault['keychainPut']>[0]['accessible'],
    ): Promise<string> =>
      codeOf(phone.vault.keychainPut({ account: 'a', data: new Uint8Array(1), synchronizable, accessible }));
    expect(await put(true, 'when-unlocked-this-device-only')).toBe('input/invalid-argument');
    expect(await put(true, 'when-passcode-set-this-device-only')).toBe('input/invalid-argument');
    expect(await put(false, 'when-passcode-set-this-device-only')).toBe('no error');
    expect(phone.backup(true).keychain).toEqual([]);
    phone.setPasscode(false);
    expect(await phone.vault.keychainGet('a', false)).toBeNull();
    expect(await put(false, 'when-passcode-set-this-device-only')).toBe('input/invalid-argument');
    expect(await codeOf(phone.vault.createEnclaveKey('user-presence'))).toBe('input/invalid-argument');
  });

  it('each protection class at its time', async () => {
    const phone = memoryPhone();
    const { vault } = phone;
    const classes = ['complete', 'complete-unless-open', 'until-first-unlock'] as const;
    for (const protection of classes) await vault.writeFile(protection, new Uint8Array(1), protection, false);
    const readable = async (): Promise<boolean[]> =>
      Promise.all(classes.map(async (name) => (await codeOf(vault.readFile(name))) === 'no error'));
    const writable = async (): Promise<boolean[]> =>
      Promise.all(
        classes.map(
          async (name) =>
            (await codeOf(vault.writeFile('new', new Uint8Array(1), name, false))) === 'no error',
        ),
      );
    expect([await readable(), await writable()]).toEqual([
      [true, true, true],
      [true, true, true],
    ]);
    phone.lock();
    expect([await readable(), await writable()]).toEqual([
      [false, false, true],
      [false, true, true],
    ]);
    phone.reboot();
    expect([await readable(), await writable()]).toEqual([
      [false, false, false],
      [false, true, false],
    ]);
    phone.unlock();
    expect(await readable()).toEqual([true, true, true]);
  });

  it('keeps this-device-only items for the same phone', async () => {
    const phone = memoryPhone();
    const item = { account: 'a', data: new Uint8Array(1), synchronizable: false } as const;
    await phone.vault.keychainPut({ ...item, accessible: 'when-unlocked-this-device-only' });
    await phone.vault.keychainPut({ ...item, account: 'b', accessible: 'after-first-unlock' });
    const other = memoryPhone();
    other.restore(phone.backup(true));
    expect(await other.vault.keychainAccounts(false)).toEqual(['b']);
    phone.restore(phone.backup(true));
    expect(await phone.vault.keychainAccounts(false)).toEqual(['a', 'b']);
    phone.lock();
    expect(await codeOf(phone.vault.keychainGet('a', false))).toBe('place/locked');
    expect(await codeOf(phone.vault.keychainGet('b', false))).toBe('no error');
    phone.reboot();
    expect(await codeOf(phone.vault.keychainGet('b', false))).toBe('place/locked');
  });
});
