/** The last resort with what people really find: copies of several epochs, and one of another key. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { run } from '../support/processes.ts';
import {
  addDevice,
  emptyHome,
  joining,
  newPhone,
  newWorld,
  publicKeyOf,
  succeed,
  together,
} from '../support/recovery.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000 });

it('takes the newest epoch that is complete, names what it leaves out, and OpenSSL knows the key', async () => {
  const world = await newWorld();
  const phone = await newPhone(world);
  const laptop = await addDevice(world, phone, 'laptop');
  const keygen = [
    'keygen',
    '--scheme',
    'ecdsa-p256',
    '--policy',
    'thresh(2,server,phone,laptop)',
    ...phone.args,
  ];
  const keyId = (await together(keygen, { laptop: joining(laptop) }))['keyId'] as string;
  const publicKey = await publicKeyOf(phone, keyId);
  const otherId = (await succeed(['keygen', '--scheme', 'ed25519', ...phone.args]))['keyId'] as string;
  const codes: string[] = [];
  const stickOf = async (key: string, { args }: typeof phone): Promise<string> => {
    const root = world.folder('stick');
    const { code } = await succeed(['usb', 'create', root, '--show-code', '--key', key, ...args]);
    codes.push(code as string);
    return root;
  };
  const [foreign, newer, old] = [
    await stickOf(otherId, phone),
    await stickOf(keyId, phone),
    await stickOf(keyId, laptop),
  ];
  // Both as they were; the refresh rewrites the phone's stick, and the laptop's is away.
  const [phones, laptops] = [join(world.folder('old'), 'phone'), join(world.folder('old'), 'laptop')];
  cpSync(newer, phones, { recursive: true });
  cpSync(old, laptops, { recursive: true });
  await together(['refresh', '--key', keyId, ...phone.args], { laptop: joining(laptop) });

  const identity = join(world.folder('paper'), 'codes.txt');
  writeFileSync(identity, `${codes.join('\n')}\n`);
  const out = join(world.folder('offline'), 'key.pem');
  const copies = [newer, foreign, phones, laptops];
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
