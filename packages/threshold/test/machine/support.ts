import { KeepsetError } from '@keepset/bytes';

/** The code `act` fails with, or `ok`. Anything thrown that is no KeepsetError is passed on. */
export const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof KeepsetError) return error.code;
    throw error;
  }
  return 'ok';
};
