import { KeepsetError } from '@keepset/bytes';
import type { Terminal } from './terminal.ts';

const attempts = 3;

/**
 * Opens something with a passphrase. One that was given is tried once; a typed one may be wrong twice.
 * @param what whose passphrase it is, as the question says it.
 * @throws KeepsetError whatever `open` throws; `input/wrong-passphrase` from it is what is asked again.
 */
export const withPassphrase = async <T>(
  terminal: Terminal,
  what: string,
  given: string | undefined,
  open: (passphrase: string) => Promise<T>,
): Promise<T> => {
  if (given !== undefined) return open(given);
  for (let attempt = 1; ; attempt++) {
    const typed = await terminal.askSecret(`${what} (attempt ${attempt} of ${attempts}): `);
    try {
      return await open(typed);
    } catch (error) {
      const isWrong = error instanceof KeepsetError && error.code === 'input/wrong-passphrase';
      if (!isWrong || attempt === attempts) throw error;
      terminal.note(error.message);
    }
  }
};
