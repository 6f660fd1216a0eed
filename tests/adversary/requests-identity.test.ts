/** Requests of somebody else than they say: unsigned, wrongly signed, expired, replayed, of another user, or not invited. */
import { describe, expect, it } from 'vitest';
import { toHex } from '@keepset/bytes';
import { authPublicKey, generateAuthKey, softwareSigner } from '@keepset/transport';
import {
  decodeSessionOutcome,
  decodeStepResponse,
  encodeEnrolRequest,
  encodeMessage,
  encodeResolveRequest,
  encodeStepRequest,
  type StepRequest,
} from '@keepset/wire';
import { errorIn, nowSeconds, signed, verdictOf, type RawAnswer, type RawRequest } from '../support/raw.ts';
import { keygenRequest, nextRequest, signRequestOf } from '../support/steps.ts';
import {
  as,
  key,
  laptop,
  newSession,
  open,
  phone,
  post,
  request,
  restart,
  server,
  step,
  stepPath,
} from './attacked.ts';

describe('unsigned', () => {
  it.each(['signature', 'signature-input', 'content-digest'] as const)('without %s', async (name) => {
    const { headers, ...sent } = await as(phone)({ method: 'GET', path: '/v1/keys' });
    const { [name]: _, ...rest } = headers;
    expect(verdictOf(await post({ ...sent, headers: rest }))).toBe('401 transport/unsigned');
  });

  it('at every address', async () => {
    const session = toHex(newSession());
    for (const [method, path] of [
      ['GET', '/v1/keys'],
      ['POST', `/v1/sessions/${session}/steps/1`],
      ['POST', `/v1/sessions/${session}/resolve`],
      ['POST', '/v1/invitations'],
    ] as const)
      expect(verdictOf(await post({ method, path, body: new Uint8Array(0), headers: {} }))).toBe(
        '401 transport/unsigned',
      );
    const enrol = encodeEnrolRequest({
      code: 'x',
      publicKey: authPublicKey(generateAuthKey()),
      party: 'phone',
    });
    const headers = { 'content-type': 'application/cbor' };
    expect(verdictOf(await post({ method: 'POST', path: '/v1/enrolments', body: enrol, headers }))).toBe(
      '401 transport/unsigned',
    );
  });
});

describe('wrongly signed', () => {
  it('by another key under this device’s name', async () => {
    const impostor = { ...softwareSigner(generateAuthKey()), keyId: phone.signer.keyId };
    const sent = await signed(server.url, { method: 'GET', path: '/v1/keys' }, impostor);
    expect(verdictOf(await post(sent))).toBe('401 transport/bad-signature');
  });

  it('by a key that is not enrolled: in the same words, so that nobody can find out who is', async () => {
    const unknown = await post(
      await signed(server.url, { method: 'GET', path: '/v1/keys' }, softwareSigner(generateAuthKey())),
    );
    expect(verdictOf(unknown)).toBe('401 transport/bad-signature');
    const impostor = { ...softwareSigner(generateAuthKey()), keyId: phone.signer.keyId };
    const wrong = await post(await signed(server.url, { method: 'GET', path: '/v1/keys' }, impostor));
    expect(toHex(unknown.body)).toBe(toHex(wrong.body));
  });

  it('another body, method, address, host or content type than was signed', async () => {
    const { session, body } = keygenRequest(phone.device);
    const good = await as(phone)({ path: stepPath(session), body });
    const changes: Partial<RawRequest>[] = [
      { body: keygenRequest(phone.device).body },
      { body: new Uint8Array(0) },
      { path: stepPath(newSession()) },
      { path: `${stepPath(session)}?x=1` },
      { headers: { ...good.headers, host: 'keys.example.org' } },
    ];
    for (const change of changes)
      expect(verdictOf(await post({ ...good, ...change }))).toBe('401 transport/bad-signature');
    const read = await as(phone)({ method: 'GET', path: '/v1/keys' });
    expect(verdictOf(await post({ ...read, path: '/v1/keys?all' }))).toBe('401 transport/bad-signature');
    const asWrite = await as(phone)({ method: 'GET', path: '/v1/invitations' });
    expect(verdictOf(await post({ ...asWrite, method: 'POST' }))).toBe('401 transport/bad-signature');
  });

  it('two signatures, a label twice, other components', async () => {
    const first = await as(phone)({ method: 'GET', path: '/v1/keys' });
    const second = await as(phone)({ method: 'GET', path: '/v1/keys' });
    const input = first.headers['signature-input'];
    const changes: RawRequest['headers'][] = [
      { signature: [first.headers.signature, second.headers.signature] },
      { signature: [second.headers.signature, first.headers.signature] },
      { signature: [first.headers.signature, first.headers.signature] },
      { 'signature-input': [input, input], signature: [first.headers.signature, first.headers.signature] },
      { 'signature-input': [input, second.headers['signature-input']] },
      { 'content-digest': [first.headers['content-digest'], first.headers['content-digest']] },
      { 'signature-input': input.replace('"content-type" ', '') },
      { 'signature-input': input.replace('"@path"', '"@target-uri"') },
    ];
    for (const change of changes)
      expect(verdictOf(await post({ ...first, headers: { ...first.headers, ...change } }))).toBe(
        '401 transport/bad-signature',
      );
    expect(verdictOf(await post(first))).toBe('200');
  });

  it('by one device in another’s name', async () => {
    const sent = await as(laptop)({ method: 'GET', path: '/v1/keys' });
    const input = sent.headers['signature-input'].replace(laptop.signer.keyId, phone.signer.keyId);
    expect(verdictOf(await post({ ...sent, headers: { ...sent.headers, 'signature-input': input } }))).toBe(
      '401 transport/bad-signature',
    );
  });
});

describe('expired', () => {
  it.each([-3600, -62, 62, 3600])('signed %i seconds from now', async (offset) => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' }, { created: nowSeconds() + offset });
    const answer = await post(sent);
    expect(verdictOf(answer)).toBe('401 transport/expired');
    expect(errorIn(answer)).toMatchObject({ retry: 'same', hint: expect.stringContaining('clock') });
  });

  it.each([-55, 55])('signed %i seconds from now is still good', async (offset) => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' }, { created: nowSeconds() + offset });
    expect(verdictOf(await post(sent))).toBe('200');
  });
});

describe('replayed', () => {
  it('the same request is answered once', async () => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' });
    expect(verdictOf(await post(sent))).toBe('200');
    expect(verdictOf(await post(sent))).toBe('401 transport/replayed');
  });

  it('another request under the same nonce is refused too', async () => {
    const nonce = 'a-nonce-that-comes-twice';
    const { session, body } = keygenRequest(phone.device);
    expect(verdictOf(await post(await as(phone)({ method: 'GET', path: '/v1/keys' }, { nonce })))).toBe(
      '200',
    );
    expect(verdictOf(await post(await as(phone)({ path: stepPath(session), body }, { nonce })))).toBe(
      '401 transport/replayed',
    );
  });

  it('many copies at once: exactly one is answered', async () => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' });
    const verdicts = (await Promise.all(Array.from({ length: 10 }, () => post(sent)))).map(verdictOf);
    expect(verdicts.filter((verdict) => verdict === '200')).toHaveLength(1);
    expect(verdicts.filter((verdict) => verdict === '401 transport/replayed')).toHaveLength(9);
  });

  it('a refused request does not spend its nonce for the one it imitates', async () => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' });
    expect(verdictOf(await post({ ...sent, path: '/v1/keys?' }))).toMatch(/^(200|401 .*)$/);
    const forged = await as(phone)({ method: 'GET', path: '/v1/keys' });
    expect(verdictOf(await post({ ...forged, method: 'POST', path: '/v1/invitations' }))).toBe(
      '401 transport/bad-signature',
    );
    expect(verdictOf(await post(forged))).toBe('200');
  });

  it('after a restart of the server as well', async () => {
    const sent = await as(phone)({ method: 'GET', path: '/v1/keys' });
    expect(verdictOf(await post(sent))).toBe('200');
    await restart();
    expect(verdictOf(await post(sent))).toBe('401 transport/replayed');
  });
});

describe('across tenants', () => {
  it('another user’s key cannot be used or seen', async () => {
    const { share } = await open();
    const { session, body } = signRequestOf(phone.device, share, request);
    expect(verdictOf(await step(session, body, 1, laptop))).toBe('404 input/unknown-key');
    // The same words as for a key that nobody has.
    const nobodys = { ...share, group: { ...share.group, keyId: 'a'.repeat(26) } };
    const unknown = signRequestOf(phone.device, nobodys, request);
    const answer = await step(unknown.session, unknown.body, 1, laptop);
    expect(errorIn(answer).message.replace('a'.repeat(26), key.keyId)).toBe(
      errorIn(await step(session, body, 1, laptop)).message,
    );
  });

  it('another user’s session cannot be continued, ended or read', async () => {
    const first = keygenRequest(phone.device);
    const opened = await step(first.session, first.body);
    const second = nextRequest(first, decodeStepResponse(opened.body).messages);
    expect(verdictOf(await step(first.session, second.body, 2, laptop))).toBe('410 store/session-void');
    expect(toHex((await step(first.session, first.body, 1, laptop)).body)).not.toBe(toHex(opened.body));
    const ended = await post(
      await as(laptop)({
        path: `/v1/sessions/${toHex(first.session)}/resolve`,
        body: encodeResolveRequest({}),
      }),
    );
    expect(decodeSessionOutcome(ended.body)).toMatchObject({ state: 'void' });
    // The owner goes on as if nothing had been.
    const again = await step(first.session, first.body);
    expect(toHex(again.body)).toBe(toHex(opened.body));
    const done = decodeStepResponse((await step(first.session, (await headed(second)).body, 2)).body);
    expect(done.state).toBe('committed');
  });

  /** The request with the phone's newest log head, without which the server need not prove growth. */
  const headed = async ({ request: bare }: { readonly request: StepRequest }) => {
    const head = await phone.device.logPin.load();
    return { body: encodeStepRequest({ ...bare, ...(head === undefined ? {} : { head }) }) };
  };
});

describe('enrolment that is refused', () => {
  const secret = generateAuthKey();
  const publicKey = authPublicKey(secret);
  const enrol = async (fields: object, signer = softwareSigner(secret)): Promise<RawAnswer> => {
    const body = encodeMessage('enrol', { code: 'abcdefgh', publicKey, party: 'phone', ...fields });
    return post(await signed(server.url, { path: '/v1/enrolments', body }, signer));
  };
  const codeOf = (invitation: string): string => /#([a-z2-7]+)/.exec(invitation)?.[1] ?? '';

  it('an unknown code', async () => {
    expect(verdictOf(await enrol({}))).toBe('403 transport/enrolment-refused');
  });

  it('a key the request was not signed with', async () => {
    const code = codeOf(server.invite());
    const other = softwareSigner(generateAuthKey());
    expect(verdictOf(await enrol({ code }, other))).toBe('401 transport/bad-signature');
    expect(verdictOf(await enrol({ code }, { ...other, keyId: softwareSigner(secret).keyId }))).toBe(
      '401 transport/bad-signature',
    );
    // The code is not spent by that.
    const first = await enrol({ code });
    expect(verdictOf(first)).toBe('200');
    // Asked again it says the same: the first answer may have been lost.
    expect((await enrol({ code })).body).toEqual(first.body);
    const thief = generateAuthKey();
    const stolen = { code, publicKey: authPublicKey(thief) };
    expect(verdictOf(await enrol(stolen, softwareSigner(thief)))).toBe('403 transport/enrolment-refused');
    // Nor may a key enrol twice, with another code.
    expect(verdictOf(await enrol({ code: codeOf(server.invite()) }))).toBe('403 transport/enrolment-refused');
  });

  it('a key that is none, or a party that is the server', async () => {
    const code = codeOf(server.invite());
    const bad = new Uint8Array(33).fill(0xff);
    expect(verdictOf(await enrol({ code, publicKey: bad }))).toMatch(/^40[01] /);
    const other = generateAuthKey();
    const own = { code, publicKey: authPublicKey(other) };
    expect(verdictOf(await enrol({ ...own, party: 'server' }, softwareSigner(other)))).toBe(
      '400 input/invalid-argument',
    );
    expect(verdictOf(await enrol({ ...own, party: 'Phone' }, softwareSigner(other)))).toBe(
      '400 wire/malformed',
    );
    expect(verdictOf(await enrol(own, softwareSigner(other)))).toBe('200');
  });

  it('two devices that bring the same code at once: one is enrolled', async () => {
    const code = codeOf(server.invite());
    const secrets = Array.from({ length: 5 }, generateAuthKey);
    const answers = await Promise.all(
      secrets.map((one) => enrol({ code, publicKey: authPublicKey(one) }, softwareSigner(one))),
    );
    expect(answers.map(verdictOf).sort()).toEqual([
      '200',
      ...Array<string>(4).fill('403 transport/enrolment-refused'),
    ]);
  });
});
