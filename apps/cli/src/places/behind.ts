/** A device that is behind must not write: what it holds could replace the only copy of what came later. */
import { KeepsetError, bytesEqual, toKeepsetError } from '@keepset/bytes';
import type { HttpTransport } from '@keepset/transport';
import type { KitNote, KnownKit } from '@keepset/wire';
import { shellWord } from '../terminal/shell.ts';

/** What a server is asked before a copy is written over. */
export type ServerKnowledge = Pick<HttpTransport, 'keys' | 'kit'>;

/** Says that a share of a later epoch exists. @param from where its copy lies, as the command line takes it */
export const behindError = (message: string, from = '--from COPY'): KeepsetError =>
  new KeepsetError('place/stale', message, {
    hint: `This device is behind, and writes nothing over a newer copy. Bring its share back from that: keepset recover --lost ${from} --code -`,
  });

/** The option that names a copy. */
export const fromOption = (path: string): string => `--from ${shellWord(path)}`;

/**
 * Compares what is about to be written with what the server knows, where there is one and it answers.
 * @param copy what is about to be written; `epoch` and `generation` are absent where nothing told them
 * @throws KeepsetError `place/stale` if the server knows a later epoch of the key or a newer copy of the kit,
 * `policy/revoked`
 */
export const refuseBehind = async (
  server: () => Promise<ServerKnowledge | undefined>,
  keyId: string | undefined,
  copy: Pick<KitNote, 'kit' | 'sha256'> & Partial<KitNote>,
): Promise<void> => {
  const answer = await ask(server, keyId, copy.kit);
  if (answer === undefined) return;
  const { keyEpoch, newest } = answer;
  const { epoch, generation } = copy;
  if (epoch === undefined || generation === undefined) {
    if (newest !== undefined && !bytesEqual(newest.sha256, copy.sha256))
      throw new KeepsetError('place/stale', 'The server knows another copy of this kit as the newest.', {
        hint: 'Nothing was written. Give the recovery code, so that the copies can be opened: --code -',
      });
    return;
  }
  const atServer = keyEpoch ?? newest?.epoch ?? 0;
  if (atServer > epoch)
    throw behindError(
      `This would write epoch ${epoch}; the key is at epoch ${atServer}, as the server knows.`,
    );
  if (newest === undefined || newest.epoch < epoch || bytesEqual(newest.sha256, copy.sha256)) return;
  if (newest.generation >= generation)
    throw new KeepsetError(
      'place/stale',
      `This would write generation ${generation}; generation ${newest.generation} was written to this kit, as the server knows.`,
      {
        hint: 'Nothing was written. Look for the newer copy: `keepset usb verify FOLDER --code -`. Where it is gone, make another stick: `keepset usb create`. A stolen device may have told a lie: what it told is forgotten when it is revoked.',
      },
    );
};

/** What a server knows of a kit, beside the epoch of the key where it names that. */
interface KeyAndKit extends Pick<KnownKit, 'newest'> {
  readonly keyEpoch: number | undefined;
}

/**
 * Asks for the newest copy of a kit, and for the key it is of. A note above the key's epoch is none: nobody can have
 * written such a copy, but a stolen device can say so.
 */
export const askForKit = async (
  server: ServerKnowledge,
  keyId: string | undefined,
  kit: string,
): Promise<KeyAndKit> => {
  const keyEpoch = (await server.keys()).find((key) => key.keyId === keyId)?.epoch;
  const { newest } = await server.kit(kit);
  if (newest === undefined || (keyEpoch !== undefined && newest.epoch > keyEpoch)) return { keyEpoch };
  return { keyEpoch, newest };
};

/** What the server answers; undefined where there is none, or it cannot be reached. */
const ask = async (
  server: () => Promise<ServerKnowledge | undefined>,
  keyId: string | undefined,
  kit: string,
): Promise<KeyAndKit | undefined> => {
  try {
    const known = await server();
    return known === undefined ? undefined : await askForKit(known, keyId, kit);
  } catch (thrown) {
    const { code } = toKeepsetError(thrown);
    // It answers: this device was put out. Who does not answer stops nothing.
    if (code === 'bug/invariant' || code === 'policy/revoked') throw thrown;
    return undefined;
  }
};
