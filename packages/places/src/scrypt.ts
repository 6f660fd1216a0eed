import { scrypt } from 'node:crypto';
import type { ScryptWork } from '@keepset/wire';

/** scrypt in Node's thread pool: the calling thread stays free. */
export const scryptInThreadPool: ScryptWork = (passphrase, salt, workFactor) =>
  new Promise((resolve, reject) => {
    const cost = { N: 2 ** workFactor, r: 8, p: 1, maxmem: 2 ** 31 };
    scrypt(passphrase, salt, 32, cost, (error, key) =>
      error === null ? resolve(new Uint8Array(key)) : reject(error),
    );
  });
