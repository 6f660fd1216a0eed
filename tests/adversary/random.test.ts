/** Property: whatever bytes come, signed or not, the server answers with a typed refusal and never fails inside. */
import * as fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '@keepset/bytes';
import { runKeygen, runSign, type GroupKey } from '@keepset/ceremony';
import { startServer, type RunningServer } from '@keepset/server';
import { newDevice, type TestDevice } from '../support/device.ts';
import { errorIn, send, signed, type RawAnswer } from '../support/raw.ts';
import { serverOptions } from '../support/server.ts';
import { keygenRequest, signRequestOf } from '../support/steps.ts';

let server: RunningServer;
let phone: TestDevice;
let key: GroupKey;
beforeAll(async () => {
  server = await startServer(serverOptions());
  phone = await newDevice(server.invite());
  key = await runKeygen(phone.device, { scheme: 'ed25519', policy: 'and(server,phone)' });
});
afterAll(async () => {
  phone.close();
  await server.close();
});

const newSession = (): Uint8Array => new Uint8Array(randomBytes(32));
const paths = [
  () => `/v1/sessions/${toHex(newSession())}/steps/1`,
  () => `/v1/sessions/${toHex(newSession())}/resolve`,
  () => '/v1/enrolments',
];

const isTyped = (answer: RawAnswer): boolean => {
  if (answer.status === 200) return true;
  const { family } = errorIn(answer);
  return answer.status < 500 && family !== 'bug' && family !== 'store';
};

describe('random', () => {
  it('bodies, signed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.uint8Array({ maxLength: 4000 }), async (path, body) => {
        expect(
          await send(server.url, await signed(server.url, { path: path(), body }, phone.signer)),
        ).toSatisfy(isTyped);
      }),
      { numRuns: 100 },
    );
  });

  it('bodies and headers, unsigned', async () => {
    const header = fc.string({
      unit: fc.integer({ min: 33, max: 126 }).map((code) => String.fromCharCode(code)),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...paths),
        fc.uint8Array({ maxLength: 1000 }),
        fc.record(
          { signature: header, 'signature-input': header, 'content-digest': header, 'content-type': header },
          { requiredKeys: [] },
        ),
        async (path, body, headers) => {
          const given = Object.fromEntries(
            Object.entries(headers).filter(([, value]) => value !== undefined),
          );
          const answer = await send(server.url, { method: 'POST', path: path(), body, headers: given });
          expect(answer.status).not.toBe(200);
          expect(answer).toSatisfy(isTyped);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('changes to good requests: one byte set, cut out or put in', async () => {
    const share = await phone.device.vault.open(key.keyId);
    const makers = [
      () => keygenRequest(phone.device),
      () => signRequestOf(phone.device, share, { message: new Uint8Array(20), digest: 'none' }),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...makers),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom('set', 'cut', 'put'),
        async (make, at, value, change) => {
          const { session, body } = make();
          const index = at % body.length;
          const [before, after] = [
            body.subarray(0, index),
            body.subarray(index + (change === 'put' ? 0 : 1)),
          ];
          const changed = Buffer.concat([before, Buffer.from(change === 'cut' ? [] : [value]), after]);
          const path = `/v1/sessions/${toHex(session)}/steps/1`;
          const answer = await send(
            server.url,
            await signed(server.url, { path, body: changed }, phone.signer),
          );
          expect(answer).toSatisfy(isTyped);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('addresses', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'),
        fc.webPath(),
        async (method, path) => {
          const answer = await send(server.url, {
            method,
            path: `/v1${path}`,
            body: new Uint8Array(0),
            headers: {},
          });
          expect(answer.status).toBeGreaterThanOrEqual(400);
          expect(answer).toSatisfy(isTyped);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('and all this has cost nothing: the key signs', async () => {
    const request = { message: new Uint8Array(20), digest: 'none' } as const;
    expect((await runSign(phone.device, { keyId: key.keyId, request })).signature).toHaveLength(64);
  });
});
