import { inspect } from 'node:util';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { utf8ToBytes } from '@keepset/bytes';
import {
  decodePresignature,
  encodePresignature,
  protocolFor,
  type KeyShare,
  type Presignature,
  type SchemeProtocol,
  type SignRequest,
  type Step,
} from '../../src/index.ts';
import { deriveChild } from '../../src/derive.ts';
import { startEcdsaPresign, startEcdsaSignPresigned } from '../../src/ecdsa/presign.ts';
import { ecdsaP256Suite, ecdsaSecp256k1Suite } from '../../src/ecdsa/suites.ts';
import { makeKey, presignStarts, resultsOf, runNetwork, sessionOf } from './network.ts';
import { transparentSuite } from './transparent.ts';

const quorum = ['phone', 'server'];
const request: SignRequest = { message: utf8ToBytes('presigned'), digest: 'sha256' };
const code = (value: string): Error => expect.objectContaining({ code: value }) as Error;

describe.each([ecdsaSecp256k1Suite, ecdsaP256Suite])('presignatures for $scheme', (suite) => {
  let shares: Map<string, KeyShare>;
  const verify = (...of: Parameters<SchemeProtocol['verify']>): boolean =>
    protocolFor(suite.scheme).verify(...of);
  beforeAll(() => {
    shares = makeKey(suite, 2, quorum, `presign ${suite.scheme}`);
  });
  const signWith = (made: ReadonlyMap<string, Presignature>, wanted: SignRequest): Map<string, Uint8Array> =>
    resultsOf(
      runNetwork(
        new Map(
          [...made].map(([party, presignature]) => [
            party,
            () =>
              startEcdsaSignPresigned(suite, { presignature, share: shares.get(party)!, request: wanted }),
          ]),
        ),
      ),
    );

  it('sign with one message each way, under the key and under its children', () => {
    for (const path of [[], [44, 0, 7]]) {
      const made = resultsOf(runNetwork(presignStarts(suite, shares, quorum, `path ${path.join()}`, path)));
      const wanted = path.length === 0 ? request : { ...request, path };
      const results = signWith(made, wanted);
      expect(results.get('phone')).toEqual(results.get('server'));
      const { group } = shares.get('phone')!;
      expect(verify(group, wanted, results.get('phone')!)).toBe(true);
      expect(verify(group, { ...request, path: [1] }, results.get('phone')!)).toBe(false);
      expect(made.get('phone')!.publicKey).toEqual(deriveChild(suite.curve, group, path).publicKey);
    }
  });

  it('take one request and one response in the pipelined form', () => {
    const start = (party: string): Step<Presignature> =>
      startEcdsaPresign(suite, { share: shares.get(party)!, session: sessionOf('pipelined'), quorum });
    const server = start('server');
    const phone = start('phone');
    if (server.status !== 'running' || phone.status !== 'running') throw new Error('unreachable');
    // Prepared: the server's first message is at the phone. The request carries both of the phone's messages and m.
    const asked = phone.advance(server.outgoing);
    // The response carries the server's second message and its fragment.
    const ready = server.advance([...phone.outgoing, ...asked.outgoing]);
    if (ready.status !== 'done' || asked.status !== 'running') throw new Error('unreachable');
    const theirs = startEcdsaSignPresigned(suite, {
      presignature: ready.result,
      share: shares.get('server')!,
      request,
    });
    const own = asked.advance(ready.outgoing);
    if (own.status !== 'done') throw new Error('unreachable');
    const mine = startEcdsaSignPresigned(suite, {
      presignature: own.result,
      share: shares.get('phone')!,
      request,
    });
    if (mine.status !== 'running') throw new Error('unreachable');
    const done = mine.advance(theirs.outgoing);
    if (done.status !== 'done') throw new Error('unreachable');
    expect(verify(shares.get('phone')!.group, request, done.result)).toBe(true);
  });
});

describe('a presignature', () => {
  const suite = transparentSuite;
  let shares: Map<string, KeyShare>;
  let presignature: Presignature;
  let share: KeyShare;
  beforeAll(() => {
    shares = makeKey(suite, 2, ['phone', 'server', 'usb'], 'presign transparent');
    share = shares.get('phone')!;
  });
  beforeEach(() => {
    presignature = resultsOf(runNetwork(presignStarts(suite, shares, quorum, 'one'))).get('phone')!;
  });

  it('serves once, even if no signature comes of it', () => {
    const start = (message: string): Step<Uint8Array> =>
      startEcdsaSignPresigned(suite, {
        presignature,
        share,
        request: { message: utf8ToBytes(message), digest: 'sha256' },
      });
    start('first');
    expect(() => start('second')).toThrow(code('abort/state-consumed'));
    expect(() => start('first')).toThrow(code('abort/state-consumed'));
    expect(() => encodePresignature(presignature)).toThrow(code('abort/state-consumed'));
  });

  it('serves only its key, epoch, party and path, and a wrong try does not consume it', () => {
    const other = makeKey(suite, 2, ['phone', 'server'], 'another key').get('phone')!;
    const attempt = (change: object): (() => unknown) => {
      const params = { presignature, share, request, ...change };
      return () => startEcdsaSignPresigned(suite, params);
    };
    expect(attempt({ share: other })).toThrow(code('input/invalid-argument'));
    expect(attempt({ share: shares.get('server') })).toThrow(code('input/invalid-argument'));
    const under = (policy: string, parties: string[], threshold: number): object => ({
      share: { ...share, group: { ...share.group, policy, parties, threshold } },
    });
    expect(attempt(under('and(phone,server,usb)', ['phone', 'server', 'usb'], 3))).toThrow(
      code('policy/unsatisfied'),
    );
    expect(attempt(under('and(phone,usb)', ['phone', 'usb'], 2))).toThrow(code('abort/unknown-party'));
    expect(attempt({ share: { ...share, group: { ...share.group, epoch: 1 } } })).toThrow(
      code('abort/wrong-epoch'),
    );
    expect(attempt({ request: { ...request, path: [0] } })).toThrow(code('input/invalid-argument'));
    expect(attempt({ request: { ...request, digest: 'none' } })).toThrow(code('input/invalid-argument'));
    expect(attempt({ request: { ...request, taproot: { merkleRoot: new Uint8Array() } } })).toThrow(
      code('input/invalid-argument'),
    );
    expect(attempt({})).not.toThrow();
  });

  it('survives being written and read, and prints nothing of its secret', () => {
    const bytes = Uint8Array.from(encodePresignature(presignature).reveal());
    const read = decodePresignature(bytes);
    expect({ ...read, secret: read.secret.reveal() }).toEqual({
      ...presignature,
      secret: presignature.secret.reveal(),
    });
    const secret = Buffer.from(presignature.secret.reveal()).toString('hex');
    for (const text of [inspect(presignature, { depth: 9 }), JSON.stringify(presignature)]) {
      expect(text).toContain('[secret]');
      expect(text).not.toContain(secret.slice(0, 16));
    }
    for (const bad of [new Uint8Array(0), bytes.slice(1), bytes.slice(0, -1), Uint8Array.of(...bytes, 0)])
      expect(() => decodePresignature(bad)).toThrow(code('place/damaged'));
  });

  it('is one of many different ones, known to both by the same id', () => {
    const ids = new Set<string>();
    for (let n = 0; n < 4; n++) {
      const made = resultsOf(runNetwork(presignStarts(suite, shares, quorum, `many ${n}`)));
      expect(made.get('phone')!.id).toEqual(made.get('server')!.id);
      ids.add(String(made.get('phone')!.id));
      ids.add(String(made.get('phone')!.nonce));
    }
    expect(ids.size).toBe(8);
  });

  it('does not meet one of another run', () => {
    const again = resultsOf(runNetwork(presignStarts(suite, shares, quorum, 'two')));
    const run = runNetwork(
      new Map([
        ['phone', () => startEcdsaSignPresigned(suite, { presignature, share, request })],
        [
          'server',
          () =>
            startEcdsaSignPresigned(suite, {
              presignature: again.get('server')!,
              share: shares.get('server')!,
              request,
            }),
        ],
      ]),
    );
    for (const outcome of run.outcomes.values())
      expect(outcome).toMatchObject({ status: 'failed', error: { code: 'abort/wrong-session' } });
  });

  it('signs nothing for parties that want different messages', () => {
    const made = resultsOf(runNetwork(presignStarts(suite, shares, quorum, 'disagree')));
    const run = runNetwork(
      new Map(
        [...made].map(([party, own]) => [
          party,
          () =>
            startEcdsaSignPresigned(suite, {
              presignature: own,
              share: shares.get(party)!,
              request: { message: utf8ToBytes(`for ${party}`), digest: 'sha256' },
            }),
        ]),
      ),
    );
    for (const outcome of run.outcomes.values()) expect(outcome.status).toBe('failed');
  });
});
