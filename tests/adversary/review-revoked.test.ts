/** A device that is revoked while its request is under way writes nothing any more. */
import { expect, test } from 'vitest';
import type { Caller, KeyChange, SessionWrite } from '@keepset/ceremony';
import { freezeStore } from '../../apps/server/src/store/freezing.ts';
import { deviceOf, newWorld, openStores } from '../support/crash.ts';

const keyId = 'a'.repeat(26);
const keep: KeyChange = { kind: 'keep' };

const writeOf = (caller: Caller, kind: 'keygen' | 'sign'): SessionWrite => {
  const session = new Uint8Array(32).fill(kind === 'sign' ? 1 : 2);
  const { tenant, device } = caller;
  const act = { kind, tenant, device, session, keyId, epoch: 0 };
  return { caller, session, step: 1, requestHash: new Uint8Array(32), act };
};

test('the transaction that spends or commits a session refuses a device that was revoked meanwhile', async () => {
  const world = await newWorld(['phone', 'laptop']);
  const { database, log, store } = await openStores(world.server);
  const { caller } = deviceOf(world);
  freezeStore(database, log, () => 0).revoke(caller.device);
  const answer = (): Uint8Array => new Uint8Array(1);
  await expect(store.consume(writeOf(caller, 'sign'))).rejects.toMatchObject({ code: 'policy/revoked' });
  await expect(store.commit(writeOf(caller, 'keygen'), keep, answer)).rejects.toMatchObject({
    code: 'policy/revoked',
  });
  expect(log.size()).toBe(1);
  const other = deviceOf(world, 'laptop').caller;
  expect((await store.commit(writeOf(other, 'keygen'), keep, answer)).written).toBe(true);
  database.close();
});
