/** Sealed files with the real command: a key under a policy, files for it by us and by others, opened by quorums. */
import { Encrypter, armor } from 'age-encryption';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { decodeCbor } from '@keepset/bytes';
import { joinCode, joining, refusal, succeed, together, type Device } from '../support/commands.ts';
import { temporaryFolder } from '../support/folders.ts';
import { bin, errorOf, keepset, onlyObject, start } from '../support/processes.ts';
import { makeKey, newWorld, phoneAndLaptop } from '../support/world.ts';

// Many real processes or runs: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const work = temporaryFolder();
const at = (name: string): string => join(work, name);
const text = 'to my heirs\n';

let phone: Device;
let laptop: Device;
let vault: string;
let recipient: string;

const sealedByOthers = async (
  plain: Uint8Array | string,
  ...more: readonly string[]
): Promise<Uint8Array> => {
  const encrypter = new Encrypter();
  for (const each of [...more, recipient]) encrypter.addRecipient(each);
  return encrypter.encrypt(plain);
};

/** How many entries of the server's log the phone has seen. */
const logSize = (): number =>
  (decodeCbor(Uint8Array.from(readFileSync(join(phone.home, 'log-head.cbor')))) as { size: number }).size;

beforeAll(async () => {
  writeFileSync(at('will.txt'), text);
  ({ phone, laptop } = await phoneAndLaptop(await newWorld()));
  const policy = ['--policy', 'thresh(2,server,phone,laptop)'];
  vault = await makeKey(phone, ['--scheme', 'ecdh-p256', ...policy], { laptop });
  recipient = ((await succeed(['show', vault, ...phone.args]))['forms'] as { age: string }).age;
});

describe('a key that opens files', () => {
  it('shows the recipient that any age program takes, and signs nothing', async () => {
    expect(recipient).toMatch(/^age1tag1q[a-z0-9]{57,}$/);
    const shown = await keepset(['show', ...phone.args]);
    expect(shown.stdout).toContain('2 of 3 must open together');
    expect(shown.stdout).toContain(recipient);
    const error = await refusal(['sign', at('will.txt'), ...phone.args]);
    expect(error.code).toBe('input/unsupported');
    expect(error.hint).toContain('keepset open');
    expect(await refusal(['derive', 'm/0', ...phone.args])).toMatchObject({ code: 'input/unsupported' });
  });
});

describe('keepset seal', () => {
  it('writes an age file with one p256tag stanza, and keeps the original', async () => {
    const sealed = await succeed(['seal', at('will.txt'), ...phone.args]);
    expect(sealed).toMatchObject({ file: at('will.txt.age'), recipient, keyId: vault });
    const lines = readFileSync(at('will.txt.age'), 'latin1').split('\n');
    expect(lines[0]).toBe('age-encryption.org/v1');
    expect(lines[1]).toMatch(/^-> p256tag [A-Za-z0-9+/]{6} [A-Za-z0-9+/]{87}$/);
    expect(lines[2]).toMatch(/^[A-Za-z0-9+/]{43}$/);
    expect(lines[3]).toMatch(/^--- [A-Za-z0-9+/]{43}$/);
    expect(sealed['bytes']).toBe(statSync(at('will.txt.age')).size);
    expect(readFileSync(at('will.txt'), 'utf8')).toBe(text);
  });

  it('never replaces a file unasked', async () => {
    const before = readFileSync(at('will.txt.age'));
    expect(await refusal(['seal', at('will.txt'), ...phone.args])).toMatchObject({ code: 'place/exists' });
    expect(readFileSync(at('will.txt.age'))).toEqual(before);
    await succeed(['seal', at('will.txt'), '--force', ...phone.args]);
    expect(readFileSync(at('will.txt.age'))).not.toEqual(before);
    expect(await refusal(['seal', at('will.txt'), '--out', work, '--force', ...phone.args])).toMatchObject({
      code: 'place/exists',
    });
    expect(readdirSync(work).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('needs no device when it is told the recipient, and reads standard input', async () => {
    const nobody = ['--home', at('nobody')];
    await succeed(['seal', at('will.txt'), '--to', recipient, '--out', at('by-nobody.age'), ...nobody]);
    const piped = await keepset(['seal', '-', '--to', recipient, '--out', at('piped.age')], { input: text });
    expect(piped).toMatchObject({ code: 0, stdout: expect.stringContaining(at('piped.age')) });
    expect(await refusal(['seal', work, ...phone.args])).toMatchObject({ code: 'input/invalid-argument' });
    for (const to of ['age1tag1qqqq', 'age1qqqq', 'nonsense', recipient.replace('tag1q', 'tag1p')])
      expect(
        await refusal(['seal', at('will.txt'), '--to', to, '--out', at('no.age'), ...nobody]),
      ).toMatchObject({ code: 'input/malformed' });
    expect(existsSync(at('no.age'))).toBe(false);
    expect(readdirSync(work).filter((name) => name.endsWith('.part'))).toEqual([]);
    expect(await refusal(['seal', at('missing'), ...phone.args])).toMatchObject({
      code: 'input/invalid-argument',
    });
  });
});

describe('keepset open', () => {
  const open = (name: string, ...args: readonly string[]) =>
    succeed(['open', at(name), '--out', at(`${name}.open`), ...args]);

  it('opens with the server: from the phone, and from the laptop', async () => {
    for (const device of [phone, laptop]) {
      const opened = await open('will.txt.age', '--force', ...device.args);
      expect(opened).toMatchObject({ keyId: vault, bytes: text.length });
      expect(readFileSync(at('will.txt.age.open'), 'utf8')).toBe(text);
      expect(statSync(at('will.txt.age.open')).mode & 0o777).toBe(0o600);
    }
    await open('by-nobody.age', ...phone.args);
    await open('piped.age', ...laptop.args);
    expect(readFileSync(at('by-nobody.age.open'), 'utf8')).toBe(text);
    expect(readFileSync(at('piped.age.open'), 'utf8')).toBe(text);
  });

  it('opens with the server and another device, which brings its own copy or only the header', async () => {
    const copy = readFileSync(at('will.txt.age'));
    writeFileSync(at('copy.age'), copy);
    writeFileSync(at('header.age'), copy.subarray(0, copy.indexOf('\n--- ') + 49));
    for (const theirs of ['copy.age', 'header.age']) {
      const out = ['--out', at('both'), '--force', '--with', 'laptop'];
      const opened = await together(['open', at('will.txt.age'), ...out, ...phone.args], {
        laptop: joining(laptop, at(theirs)),
      });
      expect(opened).toMatchObject({ bytes: text.length });
      expect(readFileSync(at('both'), 'utf8')).toBe(text);
    }
  });

  it('is not helped by a device that has another file, or none', async () => {
    await succeed(['seal', at('will.txt'), '--out', at('other.age'), ...phone.args]);
    for (const [theirs, code] of [
      [[at('other.age')], 'policy/forbidden'],
      [[at('will.txt')], 'input/malformed'],
      [[], 'input/invalid-argument'],
    ] as const) {
      const out = ['--out', at('never'), '--with', 'laptop'];
      const opening = start(process.execPath, [
        bin,
        'open',
        at('will.txt.age'),
        ...out,
        ...phone.args,
        '--json',
      ]);
      const join = ['join', await joinCode(opening, 'laptop'), ...theirs, ...laptop.args];
      expect(await refusal(join)).toMatchObject({ code });
      // The one that wanted it opened waits no longer, although the server has done its part.
      const { stdout } = await opening.ended;
      const told = errorOf({ json: onlyObject(stdout) });
      expect(told).toMatchObject({
        code: 'store/conflict',
        hint: expect.stringContaining('Another device gave up'),
      });
      expect(existsSync(at('never'))).toBe(false);
    }
  });

  it('opens what other programs seal: several recipients, armor, empty and large files', async () => {
    const large = randomBytes(3 * 1024 * 1024 + 17);
    const other = 'age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj';
    const files: [string, string | Uint8Array, string | Uint8Array][] = [
      ['plain', await sealedByOthers(text), text],
      ['several', await sealedByOthers(text, other), text],
      ['armored', armor.encode(await sealedByOthers(text)), text],
      ['crlf', `\r\n${armor.encode(await sealedByOthers(text)).replaceAll('\n', '\r\n')}\n`, text],
      ['empty', await sealedByOthers(''), ''],
      ['chunk', await sealedByOthers(large.subarray(0, 65536)), large.subarray(0, 65536)],
      ['large', await sealedByOthers(large), large],
      ['large-armored', armor.encode(await sealedByOthers(large)), large],
    ];
    for (const [name, sealed, plain] of files) {
      writeFileSync(at(`${name}.age`), sealed);
      await succeed(['open', at(`${name}.age`), ...phone.args]);
      const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
      expect(digest(readFileSync(at(name))), name).toBe(digest(Buffer.from(plain)));
    }
    const piped = await keepset(['open', '-', '--out', '-', ...phone.args], {
      input: await sealedByOthers(text),
    });
    expect(piped).toMatchObject({ code: 0, stdout: text });
  });

  it('writes the act, and nothing else, into the log', async () => {
    const before = logSize();
    await open('will.txt.age', '--force', ...phone.args);
    expect(logSize()).toBe(before + 1);
    const sealed = Buffer.from(await sealedByOthers(text));
    const bad: [string, Uint8Array | string, string][] = [
      ['not-age', text, 'input/malformed'],
      ['nothing', '', 'input/malformed'],
      ['foreign', await foreignFile(), 'input/unknown-key'],
      ['header-only', sealed.subarray(0, 150), 'input/malformed'],
      ['later', sealed.toString('latin1').replace('/v1', '/v2'), 'wire/unsupported-version'],
      ['bad-armor', armor.encode(sealed).replace('-----END', '----END'), 'input/malformed'],
      [
        'huge',
        `age-encryption.org/v1\n${'-> grease x\n\n'.repeat(10_000)}${sealed.subarray(22).toString('latin1')}`,
        'wire/too-large',
      ],
    ];
    for (const [name, content, code] of bad) {
      writeFileSync(at(`${name}.age`), content, 'latin1');
      expect(await refusal(['open', at(`${name}.age`), ...phone.args]), name).toMatchObject({ code });
      expect(existsSync(at(name))).toBe(false);
    }
    expect(await refusal(['open', at('will.txt.age'), ...phone.args])).toMatchObject({
      code: 'place/exists',
    });
    expect(await refusal(['open', at('missing.age'), ...phone.args])).toMatchObject({
      code: 'input/invalid-argument',
    });
    // None of these asked the server for anything.
    await open('will.txt.age', '--force', ...phone.args);
    expect(logSize()).toBe(before + 2);
  });

  it('leaves nothing of a file that turns out to be cut off or altered', async () => {
    const sealed = Buffer.from(await sealedByOthers(randomBytes(200_000)));
    const altered: [string, Uint8Array][] = [
      ['cut', sealed.subarray(0, -1)],
      ['cut-at-chunk', sealed.subarray(0, sealed.length - (200_000 % 65536) - 16)],
      ['cut-to-header', sealed.subarray(0, sealed.indexOf('\n--- ') + 49)],
      ['longer', Buffer.concat([sealed, Buffer.of(0)])],
      ['flipped', Buffer.from(sealed.map((byte, i) => (i === sealed.length - 20_000 ? byte ^ 1 : byte)))],
      ['mac', Buffer.from(sealed.toString('latin1').replace(/--- ..../, '--- AAAA'), 'latin1')],
      [
        'stanza',
        Buffer.from(sealed.map((byte, i) => (i === sealed.indexOf('\n', 30) + 5 ? byte ^ 1 : byte))),
      ],
    ];
    for (const [name, bytes] of altered) {
      writeFileSync(at(`${name}.age`), bytes);
      expect((await refusal(['open', at(`${name}.age`), ...phone.args])).code, name).toMatch(
        /^input\/(malformed|unknown-key)$/,
      );
      expect(existsSync(at(name)), name).toBe(false);
    }
    expect(readdirSync(work).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});

describe('the life of the key', () => {
  it('refreshed, it opens old files; an old share opens nothing more', async () => {
    const pair = await makeKey(laptop, ['--scheme', 'ecdh-p256']);
    await succeed(['seal', at('will.txt'), '--key', pair, '--out', at('pair.age'), ...laptop.args]);
    const shares = join(laptop.home, 'shares');
    const old = readdirSync(shares).find((name) => name.includes(pair)) ?? '';
    const copy = readFileSync(join(shares, old));
    expect(await succeed(['refresh', '--key', pair, ...laptop.args])).toMatchObject({ epoch: 1 });
    await succeed(['open', at('pair.age'), ...laptop.args]);
    expect(readFileSync(at('pair'), 'utf8')).toBe(text);
    // A thief's copy of the share from before, and a device that has nothing newer.
    for (const name of readdirSync(shares).filter((each) => each.includes(pair))) rmSync(join(shares, name));
    writeFileSync(join(shares, old), copy);
    const stale = ['open', at('pair.age'), '--out', at('late'), ...laptop.args];
    expect(await refusal(stale)).toMatchObject({ code: 'abort/wrong-epoch' });
    expect(existsSync(at('late'))).toBe(false);
  });
});

describe('a key of which the server holds no share', () => {
  it('opens with two devices; the server passes on and logs', async () => {
    const policy = ['--policy', 'and(phone,laptop)'];
    const key = await makeKey(phone, ['--scheme', 'ecdh-p256', ...policy], { laptop });
    await succeed(['seal', at('will.txt'), '--key', key, '--out', at('ours.age'), ...laptop.args]);
    const alone = await refusal(['open', at('ours.age'), ...phone.args]);
    expect(alone).toMatchObject({ code: 'policy/unsatisfied' });
    const before = logSize();
    await together(['open', at('ours.age'), '--with', 'laptop', ...phone.args], {
      laptop: joining(laptop, at('ours.age')),
    });
    expect(readFileSync(at('ours'), 'utf8')).toBe(text);
    expect(logSize()).toBe(before + 1);
  });
});

describe('a frozen key', () => {
  it('opens nothing', async () => {
    await succeed(['freeze', vault, ...phone.args]);
    expect(await refusal(['open', at('will.txt.age'), '--out', at('frozen'), ...laptop.args])).toMatchObject({
      code: 'policy/frozen',
    });
    expect(existsSync(at('frozen'))).toBe(false);
  });
});

const foreignFile = async (): Promise<Uint8Array> => {
  const encrypter = new Encrypter();
  encrypter.addRecipient('age1tag1qgpp0esh7zmygwfgy78edxv7dx3r5nevz54a7mtvmanwtwqzst2w6avry5x');
  return encrypter.encrypt(text);
};
