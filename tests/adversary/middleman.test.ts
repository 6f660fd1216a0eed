/** Answers that somebody in the middle changes, keeps, repeats or swaps. The device believes none of them. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KeepsetError, utf8ToBytes } from '@keepset/bytes';
import { runKeygen, runSign, settleOpenSessions, type GroupKey } from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import { parseInvite, printInvite } from '@keepset/transport';
import { decodeStepResponse, encodeError, encodeStepResponse, type StepResponse } from '@keepset/wire';
import { copiesOf, newDevice, type TestDevice } from '../support/device.ts';
import { startProxy, type Meddling, type Proxy } from '../support/proxy.ts';
import type { RawAnswer } from '../support/raw.ts';
import { serverOptions } from '../support/server.ts';

let server: RunningServer;
let proxy: Proxy;
let phone: TestDevice;
let key: GroupKey;
beforeAll(async () => {
  server = await startServer(serverOptions());
  proxy = await startProxy(server.url);
  const { code } = parseInvite(server.invite());
  phone = await newDevice(printInvite({ server: proxy.url, code, pin: proxy.pin }));
  key = await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
});
afterAll(async () => {
  phone.close();
  await proxy.close();
  await server.close();
});
beforeEach(() => proxy.meddle(({ answer }) => answer));

const request = { message: utf8ToBytes('hello'), digest: 'none' } as const;
const sign = () => runSign(phone.device, { keyId: key.keyId, request });
const refusal = async (work: () => Promise<unknown>): Promise<string> => {
  try {
    await work();
    return 'accepted';
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
};
const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, ~bytes.at(at)! & 0xff);
const withHeader = (answer: RawAnswer, name: string, value: string | undefined): RawAnswer => ({
  ...answer,
  headers: { ...answer.headers, [name]: value },
});
const changed = (answer: RawAnswer, change: (response: StepResponse) => StepResponse): RawAnswer => ({
  ...answer,
  body: encodeStepResponse(change(decodeStepResponse(answer.body))),
});

describe('an answer', () => {
  const untrusted: [string, Meddling][] = [
    ['with a byte flipped', ({ answer }) => ({ ...answer, body: flip(answer.body, 100) })],
    ['cut short', ({ answer }) => ({ ...answer, body: answer.body.subarray(0, -1) })],
    ['emptied', ({ answer }) => ({ ...answer, body: new Uint8Array(0) })],
    [
      'with more at its end',
      ({ answer }) => ({ ...answer, body: Buffer.concat([answer.body, Buffer.of(0)]) }),
    ],
    ['without its signature', ({ answer }) => withHeader(answer, 'signature', undefined)],
    ['without its digest', ({ answer }) => withHeader(answer, 'content-digest', undefined)],
    [
      'with a signature of zeros',
      ({ answer }) => withHeader(answer, 'signature', `keepset=:${Buffer.alloc(64).toString('base64')}:`),
    ],
    ['of another content type', ({ answer }) => withHeader(answer, 'content-type', 'text/plain')],
    [
      'with its log proof taken out',
      ({ answer }) =>
        changed(answer, ({ session, step, state, messages }) => ({ session, step, state, messages })),
    ],
    [
      'with its messages taken out',
      ({ answer }) => changed(answer, (response) => ({ ...response, messages: [] })),
    ],
    [
      'for another session',
      ({ answer }) => changed(answer, (response) => ({ ...response, session: new Uint8Array(32) })),
    ],
  ];
  it.each(untrusted)('%s is not believed', async (_, how) => {
    proxy.meddle(how);
    expect(await refusal(sign)).toBe('transport/untrusted-peer');
  });

  it('signed for another request is not believed: an old answer kept back', async () => {
    await sign();
    const { answer: old } = proxy.seen.at(-1)!;
    proxy.meddle(() => old);
    expect(await refusal(sign)).toBe('transport/untrusted-peer');
  });

  it('of the same content, but to another request, is not believed either', async () => {
    await phone.device.transport.keys();
    const { answer: old } = proxy.seen.at(-1)!;
    proxy.meddle(() => old);
    expect(await refusal(() => phone.device.transport.keys())).toBe('transport/untrusted-peer');
  });

  it('swapped with that to a request at the same time is not believed', async () => {
    // Holds both answers until both are there, then gives each to the other.
    const waiting: { answer: RawAnswer; give: (other: RawAnswer) => void }[] = [];
    proxy.meddle(
      ({ answer }) =>
        new Promise((resolve) => {
          waiting.push({ answer, give: resolve });
          const [a, b] = waiting;
          if (a === undefined || b === undefined) return;
          a.give(b.answer);
          b.give(a.answer);
        }),
    );
    expect(await Promise.all([refusal(sign), refusal(sign)])).toEqual([
      'transport/untrusted-peer',
      'transport/untrusted-peer',
    ]);
  });

  it('that is held back is no answer', async () => {
    proxy.meddle(() => null);
    expect(await refusal(sign)).toBe('transport/unreachable');
  });
});

describe('a refusal', () => {
  it('may be made up, but never passes for success', async () => {
    const error = new KeepsetError('store/unavailable', 'made up');
    proxy.meddle(({ answer }) => ({ ...answer, status: 503, body: encodeError(error) }));
    expect(await refusal(sign)).toBe('store/unavailable');
  });

  it('without a reason is a bad answer', async () => {
    for (const status of [201, 204, 302, 404, 500]) {
      proxy.meddle(({ answer }) => ({
        ...answer,
        status,
        body: status === 204 ? new Uint8Array(0) : answer.body,
      }));
      expect(await refusal(sign)).toBe('transport/bad-response');
    }
  });

  it('turned into a success is not believed', async () => {
    proxy.meddle(({ answer }) => ({ ...answer, status: 200 }));
    const unknown = phone.device.transport.step({ session: new Uint8Array(32), step: 2, messages: [] });
    expect(await refusal(() => unknown)).toBe('transport/untrusted-peer');
  });

  it('with an error of a kind this version does not know is a bad answer', async () => {
    const { body } = { body: encodeError(new KeepsetError('store/unavailable', 'x')) };
    const renamed = Buffer.from(
      Buffer.from(body).toString('latin1').replace('store/unavailable', 'later/unavailable'),
      'latin1',
    );
    proxy.meddle(({ answer }) => ({ ...answer, status: 500, body: new Uint8Array(renamed) }));
    expect(await refusal(sign)).toBe('transport/bad-response');
  });
});

describe('a key generation', () => {
  const make = () => runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
  /** Meddles with the n-th answer from now. */
  const nth = (which: number, how: Meddling): Meddling => {
    let count = 0;
    return (exchange) => {
      count += 1;
      return count === which ? how(exchange) : exchange.answer;
    };
  };
  const steps = async (): Promise<number> => {
    const before = proxy.seen.length;
    await make();
    return proxy.seen.length - before;
  };

  it('whose answers are meddled with is settled afterwards: on both sides or on neither', async () => {
    const count = await steps();
    expect(count).toBeGreaterThanOrEqual(2);
    const hows: Meddling[] = [() => null, ({ answer }) => ({ ...answer, body: flip(answer.body, -1) })];
    for (let which = 1; which <= count; which += 1)
      for (const how of hows) {
        proxy.meddle(nth(which, how));
        expect(await refusal(make)).toMatch(/^transport\/(unreachable|untrusted-peer)$/);
        proxy.meddle(({ answer }) => answer);
        await settleOpenSessions(phone.device);
        expect(await phone.device.journal.list()).toEqual([]);
        const [local, remote] = [await phone.device.vault.list(), await phone.device.transport.keys()];
        expect([...local].sort()).toEqual(remote.map(({ keyId }) => keyId).sort());
        expect((await copiesOf(phone)).every((copy) => copy.endsWith(' current'))).toBe(true);
      }
    for (const keyId of await phone.device.vault.list()) await runSign(phone.device, { keyId, request });
  });

  it('is not settled by an answer that somebody made up', async () => {
    const count = await steps();
    proxy.meddle(nth(count, () => null));
    await refusal(make);
    const pending = await phone.device.journal.list();
    expect(pending).toHaveLength(1);
    proxy.meddle(({ answer }) => ({ ...answer, body: flip(answer.body, -1) }));
    expect(await settleOpenSessions(phone.device)).toMatchObject([
      { outcome: 'undecided', error: { code: 'transport/untrusted-peer' } },
    ]);
    expect(await phone.device.journal.list()).toEqual(pending);
    proxy.meddle(({ answer }) => answer);
    expect(await settleOpenSessions(phone.device)).toMatchObject([{ outcome: 'completed' }]);
    await runSign(phone.device, { keyId: pending[0]!.keyId, request });
  });
});
