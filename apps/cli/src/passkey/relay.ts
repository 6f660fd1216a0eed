/**
 * `navigator.credentials` for a program that is no browser: a page on localhost shows each question, asks the browser and
 * brings the answer back. It lives as long as one command needs it.
 *
 * Whoever sends answers could choose the values that a recovery code is sealed with, so requests need a code that only
 * the terminal shows, and come from the page itself: Host and Origin are checked, other sites are given nothing.
 * Whoever listens at the port when the command has ended can read no answer: each is sealed to a key that the page was
 * served with. See docs/decisions/0021.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { KeepsetError, fromUtf8, toBase32, toBase64Url, utf8ToBytes } from '@keepset/bytes';
import type { CredentialsContainer } from '@keepset/places';
import { listenOnLoopback } from './loopback.ts';
import { newAnswerKey, sealLength } from './sealed-answer.ts';

/** What the page says. */
export interface PageTexts {
  readonly title: string;
  /** One sentence for each question, in their order. */
  readonly steps: readonly string[];
}

/** A page that waits for a browser. */
export interface Relay {
  readonly credentials: CredentialsContainer;
  readonly port: number;
  /**
   * What the page must know. It stands in the terminal, and is typed into the page. In an address that a program is
   * started with every user of the computer could read it.
   */
  readonly code: string;
  /** Lets the page say how it ended, and stops serving. */
  close(outcome: 'done' | 'failed'): Promise<void>;
}

type Kind = 'create' | 'get';

interface Question {
  readonly id: number;
  readonly kind: Kind;
  readonly publicKey: Readonly<Record<string, unknown>>;
  readonly settle: (answer: Uint8Array | Error) => void;
}

/** A wrong code so many times is no mistake. */
const maxWrongCodes = 5;
/** A credential id has at most 1023 bytes. */
const maxAnswer = 1024 + sealLength;
/** Browsers give up on a request that takes a minute (Safari) or five. */
const watchMs = 20_000;

/**
 * Serves the page on a free port of the loopback interface.
 * @param patienceMs how long a question waits for its answer.
 * @throws KeepsetError `place/unreachable`; the questions: this too, if no answer comes in time.
 */
export const openRelay = async (texts: PageTexts, patienceMs = 300_000): Promise<Relay> => {
  const answerKey = newAnswerKey();
  const page = await readPage(answerKey.publicKey);
  const code = newCode();
  const waiting = new Set<ServerResponse>();
  let question: Question | undefined;
  let asked = 0;
  let wrongCodes = 0;
  let end: string | undefined;

  const stateAsJson = (): string | undefined => {
    if (end !== undefined) return JSON.stringify({ end });
    if (question === undefined) return undefined;
    const { id, kind, publicKey } = question;
    const steps = texts.steps.length;
    const text = texts.steps[id - 1] ?? '';
    return JSON.stringify({ id, kind, publicKey, title: texts.title, text, step: id, steps }, bytesAsText);
  };
  /** Answers with the next question or the end, as soon as there is one. */
  const reply = (...responses: readonly ServerResponse[]): void => {
    const state = stateAsJson();
    for (const response of responses) {
      if (state === undefined) {
        waiting.add(response);
        response.on('close', () => waiting.delete(response));
        continue;
      }
      waiting.delete(response);
      response.setHeader('content-type', 'application/json').end(state);
    }
  };
  const settle = (answer: Uint8Array | Error): void => {
    const settled = question;
    question = undefined;
    settled?.settle(answer);
  };
  const ask = async (kind: Kind, publicKey: Question['publicKey']): Promise<Uint8Array> => {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        if (end !== undefined || wrongCodes >= maxWrongCodes) throw guessed();
        asked += 1;
        timer = setTimeout(() => settle(tooLate()), patienceMs);
        question = {
          id: asked,
          kind,
          publicKey,
          settle: (answer) => (answer instanceof Error ? reject(answer) : resolve(answer)),
        };
        reply(...waiting);
      });
    } finally {
      clearTimeout(timer);
    }
  };
  const act = async (request: IncomingMessage, response: ServerResponse, path: string): Promise<void> => {
    if (wrongCodes >= maxWrongCodes) return refuse(response, 403);
    if (!isEqual(request.headers.authorization ?? '', `Bearer ${code}`)) {
      wrongCodes += 1;
      if (wrongCodes === maxWrongCodes) settle(guessed());
      return refuse(response, 401);
    }
    const [, what = '', id = '0'] = /^\/(next|answer|refusal)(?:\/(\d{1,6}))?$/.exec(path) ?? [];
    if (what === '') return refuse(response, 404);
    const body = await readBody(request);
    if (body === undefined) return refuse(response, 413);
    if (what !== 'next') {
      if (question?.id !== Number(id)) return refuse(response, 409);
      const answer = what === 'answer' ? answerKey.open(body, question.id) : refusalOf(body);
      if (answer === undefined) return refuse(response, 400);
      settle(answer);
    }
    reply(response);
  };
  const serve = (request: IncomingMessage, response: ServerResponse, host: string): void => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const { method, url: path = '' } = request;
    if (request.headers.host !== host) return refuse(response, 421);
    if (method === 'GET') {
      const file = page.get(path);
      if (file === undefined) return refuse(response, 404);
      response.setHeader('content-type', file.type).end(file.content);
      return;
    }
    if (method !== 'POST') return refuse(response, 405);
    // A browser says truly from where a request comes; other programs need the code all the same.
    if (request.headers.origin !== `http://${host}`) return refuse(response, 403);
    if (path === '/gone') return watch(response);
    act(request, response, path).catch(() => response.destroy());
  };

  const loopback = await listenOnLoopback(
    (port): RequestListener =>
      (request, response) =>
        serve(request, response, `localhost:${port}`),
  );
  return {
    port: loopback.port,
    code,
    credentials: {
      create: async ({ publicKey }) => madeOf(await ask('create', publicKey)),
      get: async ({ publicKey }) => usedOf(await ask('get', publicKey)),
    },
    close: async (outcome) => {
      end = outcome;
      // Handed to the system, or the page is gone.
      const told = [...waiting].map(
        (response) => new Promise<void>((done) => response.on('finish', done).on('close', done)),
      );
      reply(...waiting);
      loopback.stopListening();
      await Promise.all(told);
      loopback.close();
    },
  };
};

const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  // Each answer ends its connection, so that none outlives the command.
  connection: 'close',
};

const types: Readonly<Record<string, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
};

const readPage = async (
  publicKey: string,
): Promise<ReadonlyMap<string, { readonly type: string; readonly content: string }>> => {
  const files = Object.entries(types).map(async ([name, type]) => {
    const text = await readFile(join(import.meta.dirname, 'page', name), 'utf8');
    const content = text.replace('data-key=""', `data-key="${publicKey}"`);
    return [name === 'index.html' ? '/' : `/${name}`, { type, content }] as const;
  });
  return new Map(await Promise.all(files));
};

/** Forty bits, and five tries. Letters and digits as in kit ids, so that it can be typed. */
const newCode = (): string => toBase32(new Uint8Array(randomBytes(5)));

const isEqual = (given: string, wanted: string): boolean => {
  const [one, other] = [utf8ToBytes(given), utf8ToBytes(wanted)];
  return one.length === other.length && timingSafeEqual(one, other);
};

const refuse = (response: ServerResponse, status: number): void => {
  response.writeHead(status).end();
};

/**
 * Answers late and with nothing: it breaks when the command ends, and so the page knows. Takes no code, since the page is
 * to know while it asks for that.
 */
const watch = (response: ServerResponse): void => {
  const timer = setTimeout(() => response.end(), watchMs);
  response.on('close', () => clearTimeout(timer));
};

/** The body, or undefined if it is too long. */
const readBody = async (request: IncomingMessage): Promise<Uint8Array | undefined> => {
  const body = new Uint8Array(maxAnswer);
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (length + chunk.length > maxAnswer) return undefined;
    body.set(chunk, length);
    length += chunk.length;
    chunk.fill(0);
  }
  return body.subarray(0, length);
};

/** What the browser threw, by its name. */
const refusalOf = (body: Uint8Array): Error => {
  const error = new Error('The browser gave no passkey.');
  const name = fromUtf8(body);
  if (/^[A-Za-z]{1,40}$/.test(name)) error.name = name;
  return error;
};

const bytesAsText = (_name: string, value: unknown): unknown =>
  value instanceof Uint8Array ? { bytes: toBase64Url(value) } : value;

/** A new passkey, as a browser gives it: one byte that tells whether it has a PRF, then its id. */
const madeOf = (answer: Uint8Array): unknown => ({
  rawId: Uint8Array.from(answer.subarray(1)).buffer,
  getClientExtensionResults: () => ({ prf: { enabled: answer[0] === 1 && answer.length > 1 } }),
});

/** Two PRF values of 32 bytes, or none. */
const usedOf = (answer: Uint8Array): unknown => ({
  rawId: new ArrayBuffer(0),
  getClientExtensionResults: () =>
    answer.length === 64
      ? { prf: { results: { first: answer.subarray(0, 32), second: answer.subarray(32) } } }
      : {},
});

const tooLate = (): KeepsetError =>
  new KeepsetError('place/unreachable', 'No answer came from the browser.', {
    hint: 'Run the command again, and open the page it names in a browser on this computer. --no-browser opens none by itself.',
  });

const guessed = (): KeepsetError =>
  new KeepsetError('place/unreachable', 'The page was asked with wrong codes, and was closed.', {
    hint: 'Another program on this computer may be guessing. Run the command again.',
  });
