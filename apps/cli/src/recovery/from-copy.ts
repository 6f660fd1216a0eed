/** Recovery from a copy: open it, say what it is, enrol, compare with the server, restore, refresh. */
import type { Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { withDevice, type OpenDevice } from '../home/device.ts';
import type { HomePaths } from '../home/paths.ts';
import { compareWithServer, olderLine, unknownLine, type AgainstServer } from '../places/kits-at-server.ts';
import { enrolmentStep, ensureEnrolled } from './enrolled.ts';
import { freezeFirst, freezingStep, theftLines } from './theft.ts';
import { endingOf, endingStep, finish } from './finish.ts';
import { announce, readCause, readSource } from './questions.ts';
import { restoreShare } from './restore.ts';
import { openSource, type OpenedCopy } from './source.ts';

/**
 * The whole way. The copy is opened and checked before anything else, so that a wrong stick or code costs no
 * invitation. Whatever stops it: run again with the same options until the share is back, without any to end it.
 * @throws KeepsetError
 */
export const recoverFromCopy = async (invocation: Invocation, paths: HomePaths): Promise<void> => {
  const { options, terminal } = invocation;
  const cause = await readCause(options, terminal);
  const wanted = { key: textOption(options, 'key'), party: textOption(options, 'party') };
  const copy = await openSource(await readSource(invocation), wanted, terminal);
  const { share } = copy.opened;
  try {
    for (const line of describeCopy(copy)) terminal.note(line);
    const enrolment = await enrolmentStep(invocation, paths, share.party, share.group.keyId);
    if (cause === 'stolen') for (const line of theftLines(share)) terminal.note(line);
    await announce(invocation, [
      ...(enrolment === undefined ? [] : [enrolment]),
      ...(cause === 'stolen' ? [freezingStep] : []),
      'compare the copy with what the server holds; an older one is refused',
      `keep the share in ${paths.root}, sealed to this device`,
      endingStep(invocation, cause),
    ]);
    await ensureEnrolled(invocation, paths, share.party);
    await withDevice(options, terminal, async (open) => {
      if (cause === 'stolen') await freezeFirst(open, terminal, share.group.keyId);
      const recovery = { cause, from: copy.where };
      await restoreShare(open, paths, copy, recovery, () => compareKit(open, invocation, copy));
      terminal.note(
        `Restored: this device is ${share.party} again, with the share of epoch ${share.group.epoch}.`,
      );
      await finish(invocation, open, paths, {
        record: { keyId: share.group.keyId, cause, epoch: share.group.epoch, from: copy.where },
        source: sourceAsJson(copy),
        ending: endingOf(options),
      });
    });
  } finally {
    share.secret.wipe();
  }
};

/** Of a copy in a kit, whether a newer one was written there. @throws KeepsetError as {@link compareWithServer} */
export const compareKit = async (
  { kits }: OpenDevice,
  { options, terminal }: Invocation,
  { kit: at, opened }: OpenedCopy,
): Promise<AgainstServer | undefined> => {
  if (at === undefined) return undefined;
  const { kit, sha256 } = at;
  const { keyId, epoch } = opened.share.group;
  const found = { kit, keyId, epoch, generation: opened.generation, sha256 };
  const verdict = await compareWithServer(kits, found, options['older'] === true);
  if (verdict === 'older') terminal.note(olderLine);
  if (verdict === 'unknown') terminal.note(unknownLine);
  return verdict;
};

const describeCopy = ({ where, opened, older }: OpenedCopy): readonly string[] => [
  `Opened ${where}:`,
  `  ${opened.share.party}’s share of key ${opened.share.group.keyId} (${opened.share.group.scheme}, ${opened.share.group.policy})`,
  `  epoch ${opened.share.group.epoch}, generation ${opened.generation}, written ${opened.createdAt}`,
  ...(older.length === 0 ? [] : [`  Older copies beside it are left alone: ${older.length}.`]),
];

const sourceAsJson = ({ kind, where, opened }: OpenedCopy): Readonly<Record<string, unknown>> => ({
  kind,
  where,
  epoch: opened.share.group.epoch,
  generation: opened.generation,
  createdAt: opened.createdAt,
});
