import { expect, it } from 'vitest';
import { toHex, utf8ToBytes } from '@keepset/bytes';
import { openAge, scryptInline, sealAge } from '@keepset/wire';
import { scryptInThreadPool } from '../src/index.ts';

it('computes what the portable scrypt computes', async () => {
  const salt = utf8ToBytes('salt');
  for (const workFactor of [1, 4, 10]) {
    const [here, there] = await Promise.all(
      [scryptInline, scryptInThreadPool].map((work) => work(utf8ToBytes('pass 🐎'), salt, workFactor)),
    );
    expect(toHex(there!)).toBe(toHex(here!));
  }
});

it('leaves the thread free while a file at the default work factor is sealed and opened', async () => {
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const sealed = await sealAge(utf8ToBytes('x'), { passphrase: 'p', scrypt: scryptInThreadPool });
  const opened = await openAge(sealed, [{ passphrase: 'p', scrypt: scryptInThreadPool }]);
  clearInterval(timer);
  expect(opened).toEqual(utf8ToBytes('x'));
  expect(turns).toBeGreaterThan(10);
});
