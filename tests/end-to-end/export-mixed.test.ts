/** The last resort with what people really find: copies of several epochs, and one of another key. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { joining, succeed, together } from '../support/commands.ts';
import { codeFile, createStick, imageOf } from '../support/copies.ts';
import { otherMedium } from '../support/folders.ts';
import { run } from '../support/processes.ts';
import { emptyHome, makeKey, newWorld, phoneAndLaptop, publicKeyOf } from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000 });

it('takes the newest epoch that is complete, names what it leaves out, and OpenSSL knows the key', async () => {
  const world = await newWorld();
  const { phone, laptop } = await phoneAndLaptop(world);
  const policy = 'thresh(2,server,phone,laptop)';
  const keyId = await makeKey(phone, ['--scheme', 'ecdsa-p256', '--policy', policy], { laptop });
  const publicKey = await publicKeyOf(phone, keyId);
  const otherId = await makeKey(phone, ['--scheme', 'ed25519']);
  const foreign = await createStick(otherMedium(), phone, '--key', otherId);
  const newer = await createStick(otherMedium(), phone, '--key', keyId);
  const old = await createStick(otherMedium(), laptop, '--key', keyId);
  // Both as they were; the refresh rewrites the phone's stick, and the laptop's is away.
  const [phones, laptops] = [imageOf(newer.root), imageOf(old.root)];
  await together(['refresh', '--key', keyId, ...phone.args], { laptop: joining(laptop) });

  const out = join(world.folder('offline'), 'key.pem');
  const copies = [newer.root, foreign.root, phones, laptops];
  const identity = codeFile(...[foreign, newer, old].map(({ code }) => code));
  const opening = ['--identity', identity, '--out', out, '--confirm', keyId, ...emptyHome(world).args];
  const exported = await succeed(['export', '--last-resort', ...copies, ...opening]);
  expect(exported).toMatchObject({
    keyId,
    epoch: 0,
    parties: ['phone', 'laptop'],
    leftOut: [
      { party: 'phone', reason: 'it is of epoch 1, of which there is no quorum here' },
      { party: 'phone', reason: `it is of another key, ${otherId}` },
    ],
  });
  const shown = await run('openssl', ['pkey', '-in', out, '-pubout']);
  expect(shown.stdout.trim()).toBe(publicKey.trim());
  expect(readFileSync(`${out}.record.txt`, 'utf8')).toContain('epoch 0');
});
