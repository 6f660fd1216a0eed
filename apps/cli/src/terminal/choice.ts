import { askAloud, type Terminal } from './terminal.ts';

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
    const answer = (await askAloud(`${Object.keys(choices).join('/')}? `)).trim().toUpperCase();
    if (Object.hasOwn(choices, answer)) return answer;
  }
};
