/** What to do about an error that does not say it itself: nobody is left with a message alone. */
import type { ErrorCode, ErrorFamily } from '@keepset/bytes';

const ofFamily: Readonly<Record<ErrorFamily, string>> = {
  input: 'See `keepset COMMAND --help`.',
  policy: '`keepset show` prints what the key’s policy allows.',
  wire: 'Both sides have to understand each other: compare `keepset --version` on device and server.',
  transport: 'Check the network, the server’s address and the clock, then run it again.',
  place: 'Use another copy: `keepset health` lists them. Keep this one until a newer one is verified.',
  store: 'Run it again; if that does not help, ask the server’s operator to look at its disk.',
  abort: 'Nothing was made or signed. Start again; who fails like this again is faulty, or cheats.',
  bug: 'This is a mistake in Keepset. Please report it with what is printed here.',
};

const ofCode: Readonly<Partial<Record<ErrorCode, string>>> = {
  'input/malformed': 'Check that it is the right file, and whole.',
  'input/unknown-key': '`keepset keys` lists the keys of this device.',
  'input/wrong-passphrase': 'Try again; capital letters count.',
  'place/not-found': 'Check the path. `keepset health` lists the copies that this device knows of.',
  'place/exists': 'Nothing was written over. Give another name, or move away what is there.',
  'place/locked': 'Unlock the place, or give the code that belongs to this copy.',
  'place/full': 'Make room there, then run it again.',
  'place/read-only': 'Let this user write there, or name another place.',
  'place/unreachable': 'Check that the medium is plugged in, and that the path is right.',
  'place/stale': 'Look for a newer copy: `keepset health` lists them.',
  'place/foreign': 'Look for another copy: `keepset health` lists those of this device.',
  'transport/overloaded': 'Wait some minutes, then run it again.',
  'store/session-void': 'Start again.',
  'store/session-burned': 'Start again: nothing was signed.',
};

/** @param command the one that failed, where one was found */
export const nextStep = (code: ErrorCode, command: string | undefined): string =>
  (ofCode[code] ?? ofFamily[code.slice(0, code.indexOf('/')) as ErrorFamily]).replace(
    'COMMAND',
    command ?? 'COMMAND',
  );
