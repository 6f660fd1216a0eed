import * as v from 'valibot';
import {
  KeepsetError,
  bytesEqual,
  bytesOfLength,
  decodeAs,
  encodeCbor,
  integerBetween,
  type Schema,
} from '@keepset/bytes';
import { printLogHead, type LogPin } from '@keepset/ceremony';
import type { LogHead } from '@keepset/wire';
import { readIfThere, writeDurably } from './files.ts';
import type { Lock } from './lock.ts';

const headSchema: Schema<LogHead> = v.strictObject({
  size: integerBetween(0, Number.MAX_SAFE_INTEGER),
  root: bytesOfLength(32),
});

/** The pinned log head in a file. @param lock keeps it from going back when several processes save at once. */
export const fileLogPin = (path: string, lock: Lock): LogPin => {
  const load = async (): Promise<LogHead | undefined> => {
    const bytes = await readIfThere(path);
    if (bytes === undefined) return undefined;
    try {
      return decodeAs(headSchema, bytes, 'log head');
    } catch (cause) {
      // Silently starting anew would hide exactly what the pin is there to show.
      throw new KeepsetError('place/damaged', `The pinned log head ${path} is damaged.`, {
        hint: 'It shows when the server loses or changes its log: do not just delete it. Put it back from a backup of this folder; an older one does. Without one, move it aside, ask the operator for what `keepset log-head` prints, and give that to `keepset accept-log`.',
        cause,
      });
    }
  };
  return {
    load,
    save: (head) =>
      lock(async () => {
        const known = await load();
        if (known?.size === head.size && !bytesEqual(known.root, head.root))
          throw new KeepsetError(
            'abort/transcript-mismatch',
            'The server showed another log to another process of this device.',
            {
              hint: 'What was asked of it may have been done. Do not use this server until its operator has explained it.',
            },
          );
        if (known === undefined || known.size < head.size) await writeDurably(path, encodeCbor({ ...head }));
      }),
    replace: (head) =>
      lock(async () => {
        const known = await load();
        if (known !== undefined)
          await writeDurably(`${path}.before-${printLogHead(head)}`, encodeCbor({ ...known }));
        await writeDurably(path, encodeCbor({ ...head }));
      }),
  };
};
