/** The part of the contract that is about media that fail: the port below a place fails at each call in turn. */
import { describe, expect, it } from 'vitest';
import { KeepsetError, type ErrorCode } from '@keepset/bytes';
import type { OpenFile, SharePlace } from '../src/index.ts';
import { codeOf, copyOf, nameA } from './contract.ts';

/** What goes wrong, counted in calls from the moment it is injected. */
interface Fault {
  readonly code: ErrorCode;
  /** This call fails; with `lasting` every later one too. */
  readonly at: number;
  readonly lasting?: boolean;
  /** Calls that only read succeed. */
  readonly writesOnly?: boolean;
}

/** Makes the calls to a port fail. */
export interface Injector {
  readonly inject: (fault: Fault | undefined) => void;
  /** The port as the place under test sees it. @param writes names of the methods that change something. */
  readonly around: <T extends object>(port: T, writes: readonly (keyof T & string)[]) => T;
}

const newInjector = (): Injector => {
  let fault: Fault | undefined;
  let calls = 0;
  const fails = (isWrite: boolean): boolean => {
    if (fault === undefined || (fault.writesOnly === true && !isWrite)) return false;
    calls += 1;
    return calls === fault.at || (fault.lasting === true && calls > fault.at);
  };
  const failure = (): KeepsetError => new KeepsetError(fault?.code ?? 'bug/invariant', 'injected');
  const around = <T extends object>(port: T, writes: readonly (keyof T & string)[]): T =>
    new Proxy(port, {
      get: (target, property) => {
        const method: unknown = Reflect.get(target, property);
        if (typeof method !== 'function') return method;
        return async (...args: readonly unknown[]) => {
          if (fails((writes as readonly string[]).includes(String(property)))) {
            await tear(target, property, args);
            throw failure();
          }
          const result: unknown = await Reflect.apply(method, target, args);
          return isOpenFile(result) ? around(result, ['write', 'sync', 'close']) : result;
        };
      },
    });
  return {
    around,
    inject: (next) => {
      fault = next;
      calls = 0;
    },
  };
};

const isOpenFile = (value: unknown): value is OpenFile =>
  typeof value === 'object' && value !== null && 'write' in value && 'sync' in value;

/** A write that fails has written half; a close that fails has closed. */
const tear = async (target: object, property: string | symbol, args: readonly unknown[]): Promise<void> => {
  if (!isOpenFile(target)) return;
  const [bytes] = args;
  if (property === 'write' && bytes instanceof Uint8Array)
    await target.write(bytes.subarray(0, bytes.length >> 1));
  if (property === 'close') await target.close();
};

/** @param make opens a fresh place over a port that `injector` wraps. @param codes what this kind of port may throw. */
export const describeFaults = (
  title: string,
  make: (injector: Injector) => Promise<SharePlace>,
  codes: readonly [gone: ErrorCode, ...others: readonly ErrorCode[]],
): void => {
  const fresh = async (): Promise<{ place: SharePlace; injector: Injector }> => {
    const injector = newInjector();
    const place = await make(injector);
    await place.put(nameA, copyOf('old'), { generation: 1 });
    return { place, injector };
  };
  const textOf = async (place: SharePlace): Promise<string | undefined> => {
    const copy = await place.get(nameA);
    return copy === null ? undefined : new TextDecoder().decode(copy.bytes).split('\n')[1];
  };

  describe(`${title} keeps the contract when its medium fails`, () => {
    it.each(codes)('%s at any call of put: said, and the old copy or the new one is whole', async (code) => {
      for (let at = 1; ; at += 1) {
        const { place, injector } = await fresh();
        injector.inject({ code, at });
        const outcome = await codeOf(place.put(nameA, copyOf('new'), { generation: 2 }));
        injector.inject(undefined);
        expect(['old', 'new'], `call ${at}`).toContain(await textOf(place));
        if (outcome === 'no error') {
          expect(await textOf(place)).toBe('new');
          expect(at).toBeGreaterThan(1);
          break;
        }
        expect(outcome, `call ${at}`).toBe(code);
        await place.put(nameA, copyOf('new'), { generation: 2 });
        expect(await textOf(place)).toBe('new');
        expect(await place.list()).toHaveLength(1);
      }
    });

    it('vanished: is never taken for empty', async () => {
      const { place, injector } = await fresh();
      const [gone] = codes;
      injector.inject({ code: gone, at: 1, lasting: true });
      expect(await codeOf(place.get(nameA))).toBe(gone);
      expect(await codeOf(place.list())).toBe(gone);
      expect(await codeOf(place.remove(nameA))).toBe(gone);
      expect(await place.health(nameA)).toMatchObject({ status: 'unreachable', code: gone });
      injector.inject(undefined);
      expect(await textOf(place)).toBe('old');
    });

    it('that takes no writes: is read all the same', async () => {
      const { place, injector } = await fresh();
      const code = codes.at(-1) ?? codes[0];
      injector.inject({ code, at: 1, lasting: true, writesOnly: true });
      expect(await codeOf(place.put(nameA, copyOf('new'), { generation: 2 }))).toBe(code);
      expect(await textOf(place)).toBe('old');
      expect(await place.list()).toHaveLength(1);
      expect(await place.health(nameA)).toMatchObject({ status: 'readable', generation: 1 });
    });
  });
};

/** The calls of a file system that change something. */
export const fileSystemWrites = [
  'makeFolder',
  'create',
  'truncate',
  'rename',
  'remove',
  'syncFolder',
] as const;
