/** The suite every place runs. Adapters add what is special to them in tests of their own. */
import { describe, expect, it } from 'vitest';
import { KeepsetError, utf8ToBytes } from '@keepset/bytes';
import type { CopyHealth, CopyName, PendingPlace, SharePlace } from '../src/index.ts';

/** A place under test, and what the suite may do behind its back. */
export interface Subject<P extends SharePlace> {
  readonly place: P;
  /** Opens the same medium again, as a later run would. */
  readonly reopen: () => Promise<P>;
  /** Replaces the content of the current copy. */
  readonly overwrite: (name: CopyName, bytes: Uint8Array) => Promise<void>;
}

export const nameA: CopyName = { keyId: 'a'.repeat(26), epoch: 0 };
export const nameB: CopyName = { keyId: 'b'.repeat(26), epoch: 3 };

/** Bytes that pass for an age file; places never open them. */
export const copyOf = (text: string): Uint8Array => utf8ToBytes(`age-encryption.org/v1\n${text}`);

/** The code of the KeepsetError that `work` rejects with. */
export const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
  return 'no error';
};

const textOf = async (place: SharePlace, name: CopyName): Promise<string | null> => {
  const copy = await place.get(name);
  return copy === null ? null : `${new TextDecoder().decode(copy.bytes).split('\n')[1]} ${copy.generation}`;
};

/** @param make gives a fresh, empty place each time. */
export const describePlace = (title: string, make: () => Promise<Subject<SharePlace>>): void => {
  describe(`${title} keeps the contract of places`, () => {
    it('gives null, an empty list and "missing" for what was never written', async () => {
      const { place } = await make();
      expect(await place.get(nameA)).toBeNull();
      expect(await place.list()).toEqual([]);
      expect(await place.health(nameA)).toEqual({ status: 'missing' });
      await place.remove(nameA);
    });

    it('gives back what was put, also after opening it again', async () => {
      const { place, reopen } = await make();
      await place.put(nameA, copyOf('first'), { generation: 1 });
      expect(await textOf(place, nameA)).toBe('first 1');
      expect(await textOf(await reopen(), nameA)).toBe('first 1');
      expect(await place.list()).toEqual([{ ...nameA, generation: 1, state: 'current' }]);
      const health = (await place.health(nameA)) as Extract<CopyHealth, { status: 'readable' }>;
      expect(health).toMatchObject({ status: 'readable', generation: 1, size: copyOf('first').length });
      expect(health.sha256).toHaveLength(32);
    });

    it('replaces a copy by a newer one and keeps one line for it', async () => {
      const { place, reopen } = await make();
      for (const generation of [1, 2, 9, 10]) {
        await place.put(nameA, copyOf(`text${generation}`), { generation });
        expect(await textOf(place, nameA)).toBe(`text${generation} ${generation}`);
      }
      expect(await (await reopen()).list()).toEqual([{ ...nameA, generation: 10, state: 'current' }]);
    });

    it('refuses an older generation, and another content of the same one', async () => {
      const { place } = await make();
      await place.put(nameA, copyOf('five'), { generation: 5 });
      expect(await codeOf(place.put(nameA, copyOf('four'), { generation: 4 }))).toBe('place/stale');
      expect(await codeOf(place.put(nameA, copyOf('other'), { generation: 5 }))).toBe('place/exists');
      expect(await textOf(place, nameA)).toBe('five 5');
      await place.put(nameA, copyOf('five'), { generation: 5 });
      expect(await textOf(place, nameA)).toBe('five 5');
    });

    it('does not keep hold of the caller’s bytes, nor give out its own', async () => {
      const { place } = await make();
      const mine = copyOf('first');
      await place.put(nameA, mine, { generation: 1 });
      mine.fill(0);
      (await place.get(nameA))?.bytes.fill(0);
      expect(await textOf(place, nameA)).toBe('first 1');
    });

    it('refuses what is no copy, no name and no generation', async () => {
      const { place } = await make();
      const put = (name: CopyName, bytes: Uint8Array, generation = 1): Promise<string> =>
        codeOf(place.put(name, bytes, { generation }));
      expect(await put(nameA, new Uint8Array(0))).toBe('input/invalid-argument');
      expect(await put(nameA, utf8ToBytes('garbage'))).toBe('input/invalid-argument');
      expect(await put(nameA, copyOf('x'.repeat(1_048_576)))).toBe('wire/too-large');
      for (const generation of [-1, 1.5, Number.NaN, 2 ** 53])
        expect(await put(nameA, copyOf('x'), generation)).toBe('input/invalid-argument');
      for (const name of [
        { keyId: '', epoch: 0 },
        { keyId: '../../etc/passwd', epoch: 0 },
        { keyId: 'A'.repeat(26), epoch: 0 },
        { keyId: 'a'.repeat(26), epoch: -1 },
        { keyId: 'a'.repeat(26), epoch: 0.5 },
      ]) {
        expect(await put(name, copyOf('x'))).toBe('input/invalid-argument');
        expect(await codeOf(place.get(name))).toBe('input/invalid-argument');
        expect(await codeOf(place.remove(name))).toBe('input/invalid-argument');
        expect(await codeOf(place.health(name))).toBe('input/invalid-argument');
      }
      expect(await place.list()).toEqual([]);
    });

    it('calls an empty copy and a foreign one damaged, and alters neither', async () => {
      const { place, overwrite } = await make();
      await place.put(nameA, copyOf('first'), { generation: 1 });
      for (const bytes of [new Uint8Array(0), utf8ToBytes('garbage garbage garbage garbage garbage')]) {
        await overwrite(nameA, bytes);
        expect(await codeOf(place.get(nameA))).toBe('place/damaged');
        expect(await place.health(nameA)).toMatchObject({ status: 'damaged', code: 'place/damaged' });
      }
      await place.put(nameA, copyOf('second'), { generation: 2 });
      expect(await textOf(place, nameA)).toBe('second 2');
    });

    it('removes a copy for good', async () => {
      const { place, reopen } = await make();
      await place.put(nameA, copyOf('first'), { generation: 1 });
      await place.put(nameA, copyOf('second'), { generation: 2 });
      await place.remove(nameA);
      await place.remove(nameA);
      expect(await (await reopen()).get(nameA)).toBeNull();
      expect(await place.list()).toEqual([]);
    });

    it('says what it is', async () => {
      const { place } = await make();
      expect(place.describe().kind).toBe(place.kind);
      expect(place.describe().title).toMatch(/^\p{L}/u);
    });
  });
};

/** For places that hold copies of several names. */
export const describeSeveral = (title: string, make: () => Promise<Subject<SharePlace>>): void => {
  it(`${title} keeps names and epochs apart`, async () => {
    const { place } = await make();
    const later = { ...nameA, epoch: 1 };
    await place.put(nameA, copyOf('a0'), { generation: 1 });
    await place.put(later, copyOf('a1'), { generation: 2 });
    await place.put(nameB, copyOf('b3'), { generation: 1 });
    expect(await place.list()).toEqual([
      { ...nameA, generation: 1, state: 'current' },
      { ...later, generation: 2, state: 'current' },
      { ...nameB, generation: 1, state: 'current' },
    ]);
    await place.remove(nameA);
    expect(await place.get(nameA)).toBeNull();
    expect(await textOf(place, later)).toBe('a1 2');
    expect(await textOf(place, nameB)).toBe('b3 1');
  });
};

/** For places that hold copies back. */
export const describePending = (title: string, make: () => Promise<Subject<PendingPlace>>): void => {
  describe(`${title} keeps the contract of pending copies`, () => {
    it('hides a pending copy until it is promoted', async () => {
      const { place, reopen } = await make();
      await place.putPending(nameA, copyOf('new'), { generation: 1 });
      expect(await place.get(nameA)).toBeNull();
      expect(await place.list()).toEqual([{ ...nameA, generation: 1, state: 'pending' }]);
      const later = await reopen();
      await later.promote(nameA);
      await later.promote(nameA);
      expect(await textOf(place, nameA)).toBe('new 1');
      expect(await place.list()).toEqual([{ ...nameA, generation: 1, state: 'current' }]);
    });

    it('discards a pending copy and leaves the current one alone', async () => {
      const { place } = await make();
      await place.put(nameA, copyOf('old'), { generation: 1 });
      await place.putPending(nameA, copyOf('new'), { generation: 2 });
      expect(await textOf(place, nameA)).toBe('old 1');
      await place.discard(nameA);
      await place.discard(nameA);
      await place.promote(nameA);
      expect(await place.list()).toEqual([{ ...nameA, generation: 1, state: 'current' }]);
      expect(await textOf(place, nameA)).toBe('old 1');
    });

    it('replaces a pending copy, whatever the generations', async () => {
      const { place } = await make();
      for (const generation of [2, 2, 5, 3])
        await place.putPending(nameA, copyOf(`g${generation}`), { generation });
      expect(await place.list()).toEqual([{ ...nameA, generation: 3, state: 'pending' }]);
      await place.promote(nameA);
      expect(await textOf(place, nameA)).toBe('g3 3');
    });

    it('refuses to promote nothing, or back to an older generation', async () => {
      const { place } = await make();
      expect(await codeOf(place.promote(nameA))).toBe('place/not-found');
      await place.put(nameA, copyOf('nine'), { generation: 9 });
      await place.putPending(nameA, copyOf('eight'), { generation: 8 });
      expect(await codeOf(place.promote(nameA))).toBe('place/stale');
      expect(await textOf(place, nameA)).toBe('nine 9');
    });

    it('does not mix up the pending copies of two names', async () => {
      const { place } = await make();
      await place.putPending(nameA, copyOf('a'), { generation: 1 });
      await place.putPending(nameB, copyOf('b'), { generation: 1 });
      await place.discard(nameA);
      await place.promote(nameB);
      expect(await place.list()).toEqual([{ ...nameB, generation: 1, state: 'current' }]);
    });
  });
};
