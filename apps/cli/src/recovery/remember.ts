/** Taking a copy into the ledger of the device whose share it holds. */
import { KeepsetError, bytesEqual, toKeepsetError } from '@keepset/bytes';
import type { KeyShare } from '@keepset/ceremony';
import type { Invocation } from '../command.ts';
import { textOption } from '../command.ts';
import { fileLock } from '../home/lock.ts';
import { currentShare } from '../home/own-shares.ts';
import { copyPassphrase } from '../home/passphrase.ts';
import { adoptedKit, type FoundKit } from '../places/adopt.ts';
import { behindError } from '../places/behind.ts';
import { healthOfKey } from '../places/health/health.ts';
import { nextStepOf } from '../places/health/lines.ts';
import { compareWithServer, olderLine, type AgainstServer } from '../places/kits-at-server.ts';
import { readLedger, saveKit, withCopy, type LedgerKit } from '../places/ledger.ts';
import { givenCodes, withCodes } from '../places/recovery-code.ts';
import { refuseUnfitting } from '../places/stale.ts';
import { withUnlocked, type Unlocked } from '../places/unlock.ts';
import { openSource, type OpenedCopy } from './source.ts';

/**
 * `keepset remember`: opens a copy by its code, compares it with the share on this device, and notes it. An entry that
 * cannot be read is written anew; one that can is added to. A copy of an older epoch, or from before a repair, is noted as
 * that, so that the next `--again` writes over it.
 * @throws KeepsetError of the source; `place/foreign` (another share), `place/stale` (the device is behind, or the server
 * knows a newer copy), `place/damaged` (it does not fit the key), `input/unsupported` (no kit), `input/invalid-argument`.
 */
export const rememberCopy = async (invocation: Invocation): Promise<void> => {
  const { options, terminal } = invocation;
  const source = await sourceOf(invocation);
  const wanted = { key: textOption(options, 'key'), party: undefined };
  await withUnlocked(options, terminal, async (unlocked) => {
    const copy = await withCodes(options, terminal, givenCodes, (codes) =>
      openSource({ ...source, codes }, wanted, terminal),
    );
    const { share, generation } = copy.opened;
    const { keyId, epoch } = share.group;
    try {
      const kit = kitOf(copy);
      const server = await againstServer(unlocked, invocation, copy, kit);
      const replaced = await note(unlocked, copy, kit, server, domainOf(invocation, kit));
      const { copies, party } = await healthOfKey(unlocked, keyId);
      const listed = copies.find(({ id }) => id === kit.kit);
      const next = listed === undefined ? undefined : nextStepOf(listed);
      terminal.result(
        {
          kit: kit.kit,
          kind: kit.kind,
          keyId,
          party,
          epoch,
          generation,
          domain: listed?.domain ?? null,
          stale: listed?.stale ?? null,
          replaced: replaced ?? null,
        },
        [
          `Opened and noted: ${party}’s share of key ${keyId}, epoch ${epoch}, generation ${generation}.`,
          `  kit  ${kit.kit}`,
          ...(replaced === undefined
            ? []
            : [
                `  Its entry was damaged and is written anew: ${replaced}`,
                '  When it was tested before, and whether it was noted as lost, is not known any more.',
              ]),
          ...(next === undefined ? [] : [`Next: ${next}`]),
        ],
      );
    } finally {
      share.secret.wipe();
    }
  });
};

/** @throws KeepsetError `input/invalid-argument` unless one place is named */
const sourceOf = async ({ positionals, options }: Invocation) => {
  const keyring = options['keyring'] === true;
  if (keyring !== (positionals.length === 0))
    throw new KeepsetError('input/invalid-argument', 'Say which copy: COPY, or --keyring.', {
      hint: 'A stick, a folder, a Finder backup, or pictures of printed sheets. `keepset health` names entries that are damaged.',
    });
  const passphrase = await copyPassphrase(options);
  return { paths: positionals, keyring, passphrase, kit: textOption(options, 'kit') };
};

const kitOf = ({ where, kit }: OpenedCopy): FoundKit => {
  if (kit !== undefined) return kit;
  throw new KeepsetError('input/unsupported', `${where} is no copy that a device looks after.`, {
    hint: 'It has to lie on a stick, in a folder keepset-KIT, on sheets, in the keyring or in an encrypted Finder backup.',
  });
};

const domainOf = ({ options }: Invocation, { kind }: FoundKit): Pick<LedgerKit, 'domain'> => {
  const cloud = textOption(options, 'cloud');
  if (cloud === undefined) return {};
  if (kind === 'folder' && /^[a-z][a-z0-9-]{0,31}$/.test(cloud)) return { domain: `account:${cloud}` };
  throw new KeepsetError(
    'input/invalid-argument',
    'With --cloud give a folder, and a name in small letters.',
  );
};

/** What the server knows of the kit, where there is a server and it answers. @throws KeepsetError of family `place/` */
const againstServer = async (
  { server }: Unlocked,
  { options, terminal }: Invocation,
  { opened }: OpenedCopy,
  { kit, sha256 }: FoundKit,
): Promise<AgainstServer | undefined> => {
  try {
    const notes = await server();
    if (notes === undefined) return undefined;
    const { keyId, epoch } = opened.share.group;
    const found = { kit, keyId, epoch, generation: opened.generation, sha256 };
    const verdict = await compareWithServer(notes, found, options['older'] === true);
    if (verdict === 'older') terminal.note(olderLine);
    return verdict;
  } catch (thrown) {
    const { code, family, message } = toKeepsetError(thrown);
    if (code === 'bug/invariant' || family === 'place') throw thrown;
    terminal.note(`Not compared with what the server knows: ${message}`);
    return undefined;
  }
};

/** @returns the file of the damaged entry that was written anew, if there was one */
const note = async (
  { paths, vault }: Unlocked,
  { opened }: OpenedCopy,
  found: FoundKit,
  server: AgainstServer | undefined,
  domain: Pick<LedgerKit, 'domain'>,
): Promise<string | undefined> => {
  const { keyId } = opened.share.group;
  if (!(await vault.list()).includes(keyId))
    throw new KeepsetError('place/foreign', `This device holds no share of key ${keyId}.`, {
      hint: 'Each device looks after the copies of its own shares. A share that is parked comes back with `keepset unpark`, which notes its copy as well.',
    });
  const own = await vault.open(keyId);
  try {
    refuseOther(opened.share, own);
    const source = await sourceGeneration(paths, opened.share, own);
    return await fileLock(paths.lock)(async () => {
      const ledger = await readLedger(paths);
      refuseLost(ledger.kits.find(({ kit }) => kit === found.kit));
      const kit = await adoptedKit(paths, found, opened, undefined, server);
      const copy = kit.copies.find(({ sha256 }) => bytesEqual(sha256, found.sha256));
      const noted = copy === undefined ? kit : withCopy(kit, { ...source, ...copy });
      await saveKit(paths, { ...noted, ...domain });
      return ledger.damaged.find(({ kit: id }) => id === found.kit)?.file;
    });
  } finally {
    own.secret.wipe();
  }
};

const refuseOther = ({ group, party }: KeyShare, own: KeyShare): void => {
  if (party !== own.party)
    throw new KeepsetError('place/foreign', `This copy holds ${party}’s share of key ${group.keyId}.`, {
      hint: `Each device looks after the copies of its own shares; this one is ${own.party}.`,
    });
  if (group.epoch > own.group.epoch)
    throw behindError(
      `This copy is of epoch ${group.epoch}; the share on this device is of epoch ${own.group.epoch}.`,
    );
  refuseUnfitting(group, own.group);
};

/** Generation of the device's own share that the copy holds; below all where it is from before a repair. */
const sourceGeneration = async (
  paths: Unlocked['paths'],
  { group, secret }: KeyShare,
  own: KeyShare,
): Promise<{ readonly source?: number }> => {
  // Of an older epoch nothing more needs to be known.
  if (group.epoch !== own.group.epoch) return {};
  const isSame = bytesEqual(secret.reveal(), own.secret.reveal());
  return { source: isSame ? ((await currentShare(paths, group.keyId))?.generation ?? 0) : 0 };
};

const refuseLost = (known: LedgerKit | undefined): void => {
  if (known?.lostAt === undefined) return;
  throw new KeepsetError(
    'input/invalid-argument',
    `This copy was noted as lost on ${known.lostAt.slice(0, 10)}.`,
    {
      hint: `If it is in your hands again: keepset health --found ${known.kit.slice(0, 6)}`,
    },
  );
};
