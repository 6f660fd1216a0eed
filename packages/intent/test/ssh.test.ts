import { describe, expect, it } from 'vitest';
import { allowedSigners, createIntent, sshPublicKey } from '../src/index.ts';
import { caught, plainKey, runWith, schemes, sign, signAll, utf8, valuesOf } from './simulate.ts';

const file = utf8('a file to sign\n');
const fitting = ['ed25519', 'ecdsa-p256'] as const;

describe.each(fitting)('SSH signatures with %s', (scheme) => {
  const signer = plainKey(scheme, 1);
  const signed = (content: Uint8Array, namespace?: string) => {
    const intent = createIntent('ssh', content, signer.key, namespace === undefined ? {} : { namespace });
    return intent.finish(signAll(signer, intent));
  };
  const verify = (
    signature: string | undefined,
    content: Uint8Array,
    namespace: string,
    who = 'me@example.org',
  ) =>
    runWith(
      {
        allowed: `${allowedSigners('me@example.org', signer.key, namespace)}\n`,
        'file.sig': signature ?? '',
      },
      ['ssh-keygen', '-Y', 'verify', '-f', 'allowed', '-I', who, '-n', namespace, '-s', 'file.sig'],
      content,
    );

  it('is accepted by ssh-keygen', () => {
    const { status, output } = verify(signed(file).text, file, 'file');
    expect(output).toContain('Good "file" signature for me@example.org');
    expect(status).toBe(0);
  });

  it('is accepted over an empty file and over 3 MB', () => {
    for (const content of [new Uint8Array(), new Uint8Array(3_000_000).fill(7)])
      expect(verify(signed(content).text, content, 'file').status).toBe(0);
  });

  it('keeps namespaces and files apart', () => {
    expect(verify(signed(file, 'release').text, file, 'release').status).toBe(0);
    expect(verify(signed(file, 'release').text, file, 'file').status).not.toBe(0);
    expect(verify(signed(file).text, utf8('another file\n'), 'file').status).not.toBe(0);
    expect(verify(signed(file).text, file, 'file', 'you@example.org').status).not.toBe(0);
  });

  it('is accepted whatever the leading bytes of its numbers are', () => {
    const firstBytes: ((byte: number) => boolean)[] = [
      (b) => b >= 0x80,
      (b) => b > 0 && b < 0x80,
      (b) => b === 0,
    ];
    for (const wanted of firstBytes) {
      let content = file;
      for (let i = 0; !wanted(sign(signer, createIntent('ssh', content, signer.key).inputs[0]!)[0]!); i++)
        content = utf8(`file ${i}`);
      expect(verify(signed(content).text, content, 'file').status).toBe(0);
    }
  });

  it('writes a public key that ssh-keygen reads', () => {
    const { status, output } = runWith({ 'key.pub': `${sshPublicKey(signer.key, 'my key')}\n` }, [
      'ssh-keygen',
      '-l',
      '-f',
      'key.pub',
    ]);
    expect(status).toBe(0);
    expect(output).toContain('my key');
    expect(output).toContain(scheme === 'ed25519' ? '(ED25519)' : '256 SHA256:');
  });

  it('refuses a signature of another file, and a damaged one', () => {
    const other = createIntent('ssh', utf8('other'), signer.key);
    const intent = createIntent('ssh', file, signer.key);
    expect(caught(() => intent.finish(signAll(signer, other))).code).toBe('abort/bad-signature');
    const [good] = signAll(signer, intent);
    for (let at = 0; at < good!.length; at += 3) {
      const bad = Uint8Array.from(good!);
      bad[at]! ^= 1;
      expect(caught(() => intent.finish([bad])).code).toBe('abort/bad-signature');
    }
  });

  it('shows name, size, hash and namespace', () => {
    const intent = createIntent('ssh', file, signer.key, { fileName: 'notes.txt', namespace: 'release' });
    expect(intent.description).toEqual([
      { label: 'Format', value: 'SSH signature over a file' },
      { label: 'File', value: 'notes.txt' },
      { label: 'Size', value: '15 bytes' },
      { label: 'SHA-256', value: '3d237f9b85308b331cea76222952fdfdc40faf652d3d961de98aca2b904cae31' },
      { label: 'Namespace', value: 'release' },
    ]);
    expect(intent.warnings).toEqual([]);
  });
});

describe('SSH signatures', () => {
  const { key } = plainKey('ed25519', 1);

  it('warns of an empty file and of the namespace of git', () => {
    expect(createIntent('ssh', new Uint8Array(), key).warnings).toEqual(['The file is empty.']);
    expect(createIntent('ssh', file, key, { namespace: 'git' }).warnings).toHaveLength(1);
  });

  it.each(['', 'a b', 'a"b', 'a\nb', '*', 'a,b', 'ü', 'x'.repeat(256)])(
    'refuses the namespace %j',
    (namespace) => {
      expect(caught(() => createIntent('ssh', file, key, { namespace })).code).toBe('input/invalid-argument');
      expect(caught(() => allowedSigners('me', key, namespace)).code).toBe('input/invalid-argument');
    },
  );

  it.each(['', '*', 'a?', '!me', 'me,you', 'me you', '"me"', 'me\nyou', '#me'])(
    'refuses the identity %j, which could let others sign',
    (identity) => {
      expect(caught(() => allowedSigners(identity, key)).code).toBe('input/invalid-argument');
    },
  );

  it('refuses a comment with line ends', () => {
    expect(caught(() => sshPublicKey(key, 'a\nb')).code).toBe('input/invalid-argument');
  });

  it('names the schemes that fit', () => {
    for (const scheme of schemes.filter((s) => !fitting.some((f) => f === s))) {
      const error = caught(() => createIntent('ssh', file, plainKey(scheme, 1).key));
      expect(error.code).toBe('input/unsupported');
      expect(error.message).toContain('ed25519 or ecdsa-p256');
      expect(caught(() => sshPublicKey(plainKey(scheme, 1).key)).code).toBe('input/unsupported');
    }
    expect(valuesOf(createIntent('ssh', file, key), 'Namespace')).toEqual(['file']);
  });
});
