import type { Progress } from '@keepset/ceremony';
import { createInterface, type ReadLineOptions } from 'node:readline';
import { Writable } from 'node:stream';
import { KeepsetError, printableLines } from '@keepset/bytes';

/** What a command shows. With --json only {@link Terminal.result} writes to standard output. */
export interface Terminal {
  readonly json: boolean;
  /** The command's result: `lines` for people, `data` for programs. */
  result(data: Readonly<Record<string, unknown>>, lines: readonly string[]): void;
  /** A remark to people, on standard error. */
  note(text: string): void;
  /** Where a ceremony stands, on standard error. */
  progress(progress: Progress): void;
  /** Whether a person is there to answer. */
  readonly canAsk: boolean;
  /** Asks; anything but yes is no. */
  askYesNo(question: string): Promise<boolean>;
  /** Asks for a secret without showing it. @throws KeepsetError `input/invalid-argument` when nobody can answer. */
  askSecret(question: string): Promise<string>;
}

export const terminalFor = (json: boolean): Terminal => ({
  json,
  canAsk: !json && process.stdin.isTTY,
  askYesNo: (question) => askAloud(`${question} [y/N] `).then((answer) => /^y(es)?$/i.test(answer.trim())),
  result: (data, lines) => {
    process.stdout.write(json ? `${JSON.stringify(data)}\n` : `${lines.map(printableLines).join('\n')}\n`);
  },
  note: (text) => {
    process.stderr.write(`${printableLines(text)}\n`);
  },
  progress: ({ step, of, text }) => {
    if (json) return;
    const bar = `${'█'.repeat(step)}${'░'.repeat(of - step)}`;
    process.stderr.write(`  ${bar} ${step}/${of}  ${text}\n`);
  },
  askSecret: async (question) => {
    if (!process.stdin.isTTY || json)
      throw new KeepsetError(
        'input/invalid-argument',
        'A passphrase is needed and nobody is there to type it.',
        {
          hint: 'Give --passphrase-file FILE or set KEEPSET_PASSPHRASE.',
        },
      );
    return askHidden(question);
  },
});

/** Asks for a line, shown as it is typed. Only where {@link Terminal.canAsk}. */
export const askAloud = (question: string): Promise<string> =>
  ask({ input: process.stdin, output: process.stderr }, question);

const askHidden = async (question: string): Promise<string> => {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  // The reader has silenced the terminal's own echo by the time the question is shown.
  const answer = ask({ input: process.stdin, output: silent, terminal: true }, '');
  process.stderr.write(question);
  try {
    return await answer;
  } finally {
    process.stderr.write('\n');
  }
};

const ask = (streams: ReadLineOptions, question: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = createInterface(streams);
    // A terminal in raw mode hands Ctrl-C to the reader, which would swallow it.
    reader.once('SIGINT', () => {
      reader.close();
      process.kill(process.pid, 'SIGINT');
    });
    reader.once('close', () => reject(new KeepsetError('input/invalid-argument', 'No answer was given.')));
    reader.question(question, (answer) => {
      resolve(answer);
      reader.close();
    });
  });
