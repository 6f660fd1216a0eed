import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeepsetError, bytesEqual } from '@keepset/bytes';
import { generateIdentity, openingKeyOf } from '@keepset/wire';
import {
  checkRollback,
  createContainer,
  findContainer,
  findContainers,
  folderOf,
  inspectContainer,
  mirrorCopy,
  newKitId,
  nodeFileSystem,
  openNewest,
  removeContainer,
  repairContainer,
  saveCopy,
  type ContainerRef,
  type ContainerReport,
} from '../src/index.ts';
import { codeOf } from './contract.ts';
import { makeWriter, type Writer } from './shares.ts';

const top = mkdtempSync(join(tmpdir(), 'keepset-usb-'));
afterAll(() => rmSync(top, { recursive: true }));
let writer: Writer;
let copies: Uint8Array[];
beforeAll(async () => {
  writer = await makeWriter();
  copies = await Promise.all([1, 2, 3, 4].map((generation) => writer.write(generation)));
});

let made = 0;
const freshStick = (): ContainerRef => {
  const root = join(top, String((made += 1)));
  mkdirSync(root);
  return { files: nodeFileSystem, root, kit: newKitId(), party: 2 };
};
/** A stick on which generations 1 to `count` were saved one after the other. */
const savedStick = async (count: number): Promise<ContainerRef> => {
  const container = freshStick();
  let report = await createContainer(container, copies[0]!, writer.signer);
  for (const copy of copies.slice(1, count)) report = await saveCopy(report, copy, writer.signer);
  return container;
};
const pathOf = (container: ContainerRef, file: string): string => join(folderOf(container), file);
const newestGeneration = async (container: ContainerRef): Promise<number> =>
  (await openNewest(await inspectContainer(container), [writer.key])).opened.generation;
const verdicts = ({ slots, metadataFile }: ContainerReport): string =>
  `${slots.enc.content} ${slots.enc.parity} ${slots.bak.content} ${slots.bak.parity} ${metadataFile}`;
/** All bytes on the stick, to see that reading alters none. */
const snapshot = (container: ContainerRef): string =>
  readdirSync(folderOf(container))
    .toSorted()
    .map((file) => `${file} ${readFileSync(pathOf(container, file)).toString('hex')}`)
    .join('\n');

describe('saving', () => {
  it('alternates the slots and leaves the newest copy’s slot alone', async () => {
    const container = await savedStick(1);
    expect(verdicts(await inspectContainer(container))).toBe('intact intact missing missing intact');
    for (const [n, untouched] of [
      [1, 'enc'],
      [2, 'bak'],
      [3, 'enc'],
    ] as const) {
      const before = readFileSync(pathOf(container, `share_party2.${untouched}`));
      await saveCopy(await inspectContainer(container), copies[n]!, writer.signer);
      expect(readFileSync(pathOf(container, `share_party2.${untouched}`)).equals(before)).toBe(true);
      expect(await newestGeneration(container)).toBe(n + 1);
    }
    expect(readdirSync(folderOf(container)).toSorted()).toEqual([
      'metadata.json',
      'share_party2.bak',
      'share_party2.bak.par',
      'share_party2.enc',
      'share_party2.enc.par',
    ]);
  });

  it('mirrors the newest copy, so that the older one is gone', async () => {
    const container = await savedStick(2);
    const report = await mirrorCopy(await inspectContainer(container), writer.signer);
    expect(verdicts(report)).toBe('intact intact intact intact intact');
    for (const slot of ['enc', 'bak'])
      expect(bytesEqual(readFileSync(pathOf(container, `share_party2.${slot}`)), copies[1]!)).toBe(true);
    const before = snapshot(container);
    await mirrorCopy(report, writer.signer);
    expect(snapshot(container)).toBe(before);
  });

  it('writes no names, keys or addresses in clear', async () => {
    const container = await savedStick(2);
    const metadata: unknown = JSON.parse(readFileSync(pathOf(container, 'metadata.json'), 'utf8'));
    expect(Object.keys(metadata as object).toSorted()).toEqual([
      'format',
      'kit',
      'signature',
      'slots',
      'version',
    ]);
    const clear = snapshot(container).replaceAll(/^share_party2\.(enc|bak) .*$/gm, '');
    for (const secret of ['phone', 'server', writer.share.group.keyId])
      expect(clear).not.toContain(Buffer.from(secret).toString('hex'));
  });

  it('refuses a medium on which recovery codes lie, and says why', async () => {
    for (const name of ['recovery_codes.txt', 'RECOVERY_CODES.TXT', 'identity.txt']) {
      const container = freshStick();
      writeFileSync(join(container.root, name), 'AGE-SECRET-KEY-1…');
      expect(await codeOf(createContainer(container, copies[0]!, writer.signer))).toBe('place/foreign');
      expect(readdirSync(container.root)).toEqual([name]);
    }
  });

  it('refuses to make a container twice, or of something that is no copy', async () => {
    const container = await savedStick(1);
    expect(await codeOf(createContainer(container, copies[1]!, writer.signer))).toBe('place/exists');
    const report = await inspectContainer(container);
    expect(await codeOf(saveCopy(report, new Uint8Array(0), writer.signer))).toBe('input/invalid-argument');
    expect(await codeOf(saveCopy(report, new Uint8Array(1_048_577), writer.signer))).toBe('wire/too-large');
    expect(await newestGeneration(container)).toBe(1);
  });

  it('refuses to write over metadata of a later version', async () => {
    const container = await savedStick(2);
    const path = pathOf(container, 'metadata.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"version": 1', '"version": 2'));
    const report = await inspectContainer(container);
    expect(report.metadataFile).toBe('unsupported');
    expect(await codeOf(saveCopy(report, copies[2]!, writer.signer))).toBe('wire/unsupported-version');
    expect(await codeOf(repairContainer(report, writer.signer))).toBe('wire/unsupported-version');
    expect(await newestGeneration(container)).toBe(2);
  });

  it('asks for the key when nothing else says which slot is newer', async () => {
    const container = await savedStick(2);
    for (const file of ['metadata.json', 'share_party2.enc.par', 'share_party2.bak.par'])
      rmSync(pathOf(container, file));
    const report = await inspectContainer(container);
    expect(verdicts(report)).toBe('unchecked missing unchecked missing missing');
    const before = snapshot(container);
    expect(await codeOf(saveCopy(report, copies[2]!, writer.signer))).toBe('place/damaged');
    expect(snapshot(container)).toBe(before);
    const { candidate } = await openNewest(report, [writer.key]);
    expect(candidate.slot).toBe('bak');
    await saveCopy(report, copies[2]!, writer.signer, candidate);
    expect(bytesEqual(readFileSync(pathOf(container, 'share_party2.bak')), copies[1]!)).toBe(true);
    expect(await newestGeneration(container)).toBe(3);
  });

  it('does not take a rival for older when only its own vouchers are lost', async () => {
    const container = await savedStick(2);
    rmSync(pathOf(container, 'metadata.json'));
    rmSync(pathOf(container, 'share_party2.bak.par'));
    const report = await inspectContainer(container);
    expect(await codeOf(saveCopy(report, copies[2]!, writer.signer))).toBe('place/damaged');
  });

  it('removes its own files and nothing else', async () => {
    const container = await savedStick(2);
    writeFileSync(pathOf(container, 'note.txt'), 'mine');
    await removeContainer(container);
    expect(readdirSync(folderOf(container))).toEqual(['note.txt']);
  });
});

describe('finding', () => {
  it('says when there is none, another or several', async () => {
    const one = await savedStick(1);
    expect((await findContainer(nodeFileSystem, one.root)).kit).toBe(one.kit);
    expect(await findContainer(nodeFileSystem, one.root, one.kit)).toEqual(one);
    expect(await codeOf(findContainer(nodeFileSystem, one.root, newKitId()))).toBe('place/foreign');
    expect(await codeOf(findContainer(nodeFileSystem, freshStick().root))).toBe('place/not-found');
    expect(await codeOf(findContainer(nodeFileSystem, join(top, 'gone')))).toBe('place/unreachable');
    const other = { ...one, kit: newKitId() };
    await createContainer(other, copies[1]!, writer.signer);
    expect(await findContainers(nodeFileSystem, one.root)).toHaveLength(2);
    expect(await codeOf(findContainer(nodeFileSystem, one.root))).toBe('input/invalid-argument');
    expect((await findContainer(nodeFileSystem, one.root, other.kit)).kit).toBe(other.kit);
  });

  it('says of a stick that was pulled out that it is gone, though Linux shows it as an empty one', async () => {
    const container = await savedStick(1);
    const report = await inspectContainer(container);
    // What Linux 6.1 gives of a FAT32 stick that is mounted still; benchmarks/usb-power-cuts.ts pulls one out.
    const fail = async (code: 'place/not-found' | 'place/unreachable'): Promise<never> => {
      throw new KeepsetError(code, 'pulled out');
    };
    const pulled: ContainerRef = {
      ...container,
      files: {
        ...nodeFileSystem,
        names: async () => [],
        facts: async (path) => (path.endsWith('.par') ? { kind: 'file', size: 1, mode: 0 } : null),
        read: () => fail('place/not-found'),
        create: () => fail('place/not-found'),
        truncate: () => fail('place/not-found'),
        syncFolder: () => fail('place/unreachable'),
      },
    };
    expect(await codeOf(findContainer(pulled.files, pulled.root))).toBe('place/unreachable');
    expect(await codeOf(inspectContainer(pulled))).toBe('place/unreachable');
    const listed = { ...pulled, files: { ...pulled.files, names: async () => ['metadata.json'] } };
    expect(await codeOf(inspectContainer(listed))).toBe('place/unreachable');
    expect(await codeOf(saveCopy({ ...report, container: pulled }, copies[1]!, writer.signer))).toBe(
      'place/unreachable',
    );
    expect(await codeOf(mirrorCopy({ ...report, container: listed }, writer.signer))).toBe(
      'place/unreachable',
    );
  });

  it('notices a container renamed to another kit', async () => {
    const container = await savedStick(2);
    const renamed = { ...container, kit: newKitId() };
    renameSync(folderOf(container), folderOf(renamed));
    const report = await inspectContainer(renamed);
    expect(report.metadataFile).toBe('damaged');
    expect(await newestGeneration(renamed)).toBe(2);
    expect((await openNewest(report, [writer.key])).metadataSigned).toBeNull();
  });

  it('reads slots whose names were swapped', async () => {
    const container = await savedStick(2);
    const [enc, bak, aside] = ['share_party2.enc', 'share_party2.bak', 'aside'].map((file) =>
      pathOf(container, file),
    );
    renameSync(enc!, aside!);
    renameSync(bak!, enc!);
    renameSync(aside!, bak!);
    expect(await newestGeneration(container)).toBe(2);
  });
});

describe('damage', () => {
  const files = ['share_party2.enc', 'share_party2.bak'] as const;

  it('of each single byte in either slot is recovered, and reading alters nothing', async () => {
    const container = await savedStick(2);
    const original = files.map((file) => readFileSync(pathOf(container, file)));
    for (const [n, file] of files.entries()) {
      const path = pathOf(container, file);
      for (let at = 0; at < original[n]!.length; at++) {
        const damaged = Buffer.from(original[n]!);
        damaged[at]! ^= 0x20;
        writeFileSync(path, damaged);
        const report = await inspectContainer(container);
        const slot = n === 0 ? 'enc' : 'bak';
        expect(report.slots[slot].content, `${file} byte ${at}`).toBe('repairable');
        const repaired = report.slots[slot].candidates.find(({ source }) => source === 'repaired');
        if (repaired === undefined || !bytesEqual(repaired.bytes, original[n]!)) expect(at).toBe('recovered');
        if (at % 150 === 0) {
          const before = snapshot(container);
          expect(await newestGeneration(container)).toBe(2);
          expect(snapshot(container)).toBe(before);
        }
      }
      writeFileSync(path, original[n]!);
    }
  });

  it('of each 1 KB hole in either slot is recovered, and repaired on the medium', async () => {
    for (const [n, file] of files.entries()) {
      const container = await savedStick(2);
      const path = pathOf(container, file);
      const original = readFileSync(path);
      for (let at = 0; at < original.length; at += 16) {
        const damaged = Buffer.from(original);
        damaged.fill(0, at, Math.min(at + 1024, damaged.length));
        writeFileSync(path, damaged);
        const report = await inspectContainer(container);
        const slot = n === 0 ? 'enc' : 'bak';
        const repaired = report.slots[slot].candidates.find(({ source }) => source === 'repaired');
        expect(repaired !== undefined && bytesEqual(repaired.bytes, original), `hole at ${at}`).toBe(true);
      }
      const after = await repairContainer(await inspectContainer(container), writer.signer);
      expect(verdicts(after)).toBe('intact intact intact intact intact');
      expect(await newestGeneration(container)).toBe(2);
    }
  });

  it('of one whole file, whichever, is survived and repaired', async () => {
    for (const file of [
      'share_party2.enc',
      'share_party2.bak',
      'share_party2.enc.par',
      'share_party2.bak.par',
      'metadata.json',
    ])
      for (const harm of [
        (path: string) => rmSync(path),
        (path: string) => writeFileSync(path, ''),
        (path: string) => writeFileSync(path, 'garbage'),
        (path: string) => truncateSync(path, 100),
        (path: string) => writeFileSync(path, new Uint8Array(1_100_000)),
      ]) {
        const container = await savedStick(2);
        harm(pathOf(container, file));
        expect(await newestGeneration(container), file).toBe(2);
        const after = await repairContainer(await inspectContainer(container), writer.signer);
        expect(verdicts(after), file).toBe('intact intact intact intact intact');
        expect(await newestGeneration(container)).toBe(2);
      }
  });

  it('of both slots at once is survived if each is repairable', async () => {
    const container = await savedStick(2);
    for (const file of files) writeFileSync(pathOf(container, file), new Uint8Array(700));
    expect(await newestGeneration(container)).toBe(2);
    const after = await repairContainer(await inspectContainer(container), writer.signer);
    expect(verdicts(after)).toBe('intact intact intact intact intact');
  });

  it('beyond repair is said plainly', async () => {
    const container = await savedStick(2);
    for (const file of readdirSync(folderOf(container))) writeFileSync(pathOf(container, file), 'x');
    const report = await inspectContainer(container);
    expect(verdicts(report)).toBe('damaged damaged damaged damaged damaged');
    expect(await codeOf(openNewest(report, [writer.key]))).toBe('place/damaged');
    expect(await codeOf(repairContainer(report, writer.signer))).toBe('place/damaged');
  });

  it('does not follow links', async () => {
    const container = await savedStick(2);
    const target = join(top, 'elsewhere');
    writeFileSync(target, 'theirs');
    rmSync(pathOf(container, 'share_party2.enc'));
    symlinkSync(target, pathOf(container, 'share_party2.enc'));
    expect(await newestGeneration(container)).toBe(2);
    expect(await codeOf(saveCopy(await inspectContainer(container), copies[2]!, writer.signer))).toBe(
      'place/foreign',
    );
    expect(readFileSync(target, 'utf8')).toBe('theirs');
  });
});

describe('opening', () => {
  it('takes the highest signed generation, whatever clear files say', async () => {
    const container = await savedStick(3);
    // An attacker with the stick puts the old metadata and parity back.
    for (const file of ['metadata.json', 'share_party2.enc.par', 'share_party2.bak.par'])
      writeFileSync(pathOf(container, file), readFileSync(pathOf(await savedStick(2), file)));
    expect(await newestGeneration(container)).toBe(3);
  });

  it('says whether the metadata are the writer’s', async () => {
    const container = await savedStick(2);
    const report = await inspectContainer(container);
    expect((await openNewest(report, [writer.key])).metadataSigned).toBe(true);
    const path = pathOf(container, 'metadata.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"turn": 1/, '"turn": 9'));
    const forged = await openNewest(await inspectContainer(container), [writer.key]);
    expect(forged.metadataSigned).toBe(false);
    expect(forged.opened.generation).toBe(2);
  });

  it('says that the key is wrong', async () => {
    const report = await inspectContainer(await savedStick(2));
    const stranger = openingKeyOf(await generateIdentity());
    expect(await codeOf(openNewest(report, [stranger]))).toBe('place/locked');
  });
});

describe('the rollback value', () => {
  it('uncovers an older container, another kit and another copy', async () => {
    const container = await savedStick(3);
    const known = (await openNewest(await inspectContainer(container), [writer.key])).rollback;
    expect(known).toMatchObject({ kit: container.kit, generation: 3 });
    const check = (change: object): Promise<string> =>
      codeOf((async () => checkRollback(known, { ...known, ...change }))());
    expect(await check({})).toBe('no error');
    expect(await check({ generation: 4, sha256: new Uint8Array(32) })).toBe('no error');
    expect(await check({ generation: 2 })).toBe('place/stale');
    expect(await check({ kit: newKitId() })).toBe('place/foreign');
    expect(await check({ sha256: new Uint8Array(32) })).toBe('place/foreign');
  });
});
