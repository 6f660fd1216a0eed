/** What to do about an error that does not say it itself: nobody is left with a message alone. */
import type { ErrorCode, ErrorFamily } from '@keepset/bytes';

const ofFamily: Readonly<Record<ErrorFamily, string>> = {
  input: 'See `keepset COMMAND --help`.',
  policy: '`keepset show` prints what the key’s policy allows.',
  wire: 'Both sides have to understand each other: compare `keepset --version` on device and server.',
  transport: 'Check the network, the server’s address and the clock, then run it again.',
  place: 'Use another copy: `keepset health` lists them. Keep this one until a newer one is verified.',
  store: 'Run it again; if that does not help, ask the server’s operator to look at its disk.',
  // Whoever had all messages may have finished: a second, other signature could spend the same money twice.
  abort:
    'This device has no result, but others may have one from what it sent: look there before you start again, and sign nothing else in its place. If it happens again, a device or the server is faulty, or cheats.',
  bug: 'This is a mistake in Keepset. Please report it with what is printed here.',
};

const ofCode: Readonly<Partial<Record<ErrorCode, string>>> = {
  'input/malformed': 'Check that it is the right file, and whole.',
  'input/unknown-key': '`keepset keys` lists the keys of this device.',
  'input/wrong-passphrase': 'Try again; capital letters count.',
  'place/not-found': 'Check the path. `keepset health` lists the copies that this device knows of.',
  'policy/forbidden': 'Ask who started it what is wanted, by another way than this.',
  'policy/frozen':
    'The operator of the server opens it again (`keepset unfreeze`) or approves new shares (`keepset approve`).',
  'policy/revoked':
    'The operator of the server has taken the device out: ask why. Alone its share is of no use; keep it until that is clear.',
  'wire/too-large': 'It is larger than Keepset takes; the same again fails again.',
  'place/exists':
    'Nothing was written over. Give another name; what is there may be a copy (`keepset health` lists them).',
  'place/locked': 'Unlock the place, or give the code that belongs to this copy.',
  'place/full': 'Make room there, but delete no copy for it; then run it again.',
  'place/read-only': 'Let this user write there, or name another place.',
  'place/unreachable': 'Check that the medium is plugged in, and that the path is right.',
  'place/stale': 'Look for a newer copy: `keepset health` lists them.',
  'place/foreign': 'Look for another copy: `keepset health` lists those of this device.',
  'transport/overloaded': 'Wait some minutes, then run it again.',
  'transport/untrusted-peer':
    'What came was not believed. Somebody may stand between: do not go on over this network before you have compared clock, address and join codes.',
  'transport/bad-response':
    'The server, or something before it, does not answer as it should. What it was asked may have been done or not: look before you try again, and if it happens again, ask its operator.',
  'store/conflict': 'The same again fails again: look first what is there (`keepset keys`).',
  'store/session-void': 'Start again.',
  'store/session-burned':
    'Start again. The server says that it had given no part of its own; its log notes the attempt either way.',
  'store/damaged':
    'Delete nothing. On the server, data folder and key-encryption key belong together: its operator puts both back from the newest backup, and freezes and revokes again what was frozen and revoked since.',
  'store/rollback': 'Do not use this server until its operator has explained what is missing.',
  'abort/wrong-epoch':
    'Somewhere a share is of another epoch: compare `keepset keys` on all devices. The one that is behind needs `keepset recover`. Destroy nothing.',
  'abort/unknown-party':
    'Check which party is meant: `keepset show` prints those of the key. If it is none that you named, a device or the server is faulty, or cheats: look at the other devices before you start again.',
  'abort/bad-signature':
    'Do not rely on what it was to prove. If several devices were to make it, look at the others before you start again.',
};

/** @param command the one that failed, where one was found */
export const nextStep = (code: ErrorCode, command: string | undefined): string =>
  (ofCode[code] ?? ofFamily[code.slice(0, code.indexOf('/')) as ErrorFamily]).replace(
    'COMMAND',
    command ?? 'COMMAND',
  );
