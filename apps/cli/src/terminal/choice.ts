import { createInterface } from 'node:readline';
import { KeepsetError } from '@keepset/bytes';
import type { Terminal } from './terminal.ts';

/**
 * Asks until one of the letters is typed. Only where {@link Terminal.canAsk}.
 * @throws KeepsetError `input/invalid-argument` when the input ends.
 */
export const askLetter = async (
  terminal: Terminal,
  question: string,
  choices: Readonly<Record<string, string>>,
): Promise<string> => {
  terminal.note(question);
  for (const [letter, meaning] of Object.entries(choices)) terminal.note(`  ${letter}  ${meaning}`);
  for (;;) {
    const answer = (await askLine(`${Object.keys(choices).join('/')}? `)).trim().toUpperCase();
    if (Object.hasOwn(choices, answer)) return answer;
  }
};

const askLine = (prompt: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = createInterface({ input: process.stdin, output: process.stderr });
    // A terminal in raw mode hands Ctrl-C to the reader, which would swallow it.
    reader.once('SIGINT', () => {
      reader.close();
      process.kill(process.pid, 'SIGINT');
    });
    reader.once('close', () => reject(new KeepsetError('input/invalid-argument', 'No answer was given.')));
    reader.question(prompt, (answer) => {
      resolve(answer);
      reader.close();
    });
  });
