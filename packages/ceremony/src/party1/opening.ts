import { KeepsetError } from '@keepset/bytes';
import { sha256 } from '@noble/hashes/sha2.js';
import { protocolFor, type OpenedPoint, type OpeningProtocol, type Scheme } from '@keepset/threshold';
import type { OpenStart } from '@keepset/wire';
import { keepAnswer, sessionWrite, type ActSubject } from './commit.ts';
import { answerAgain, type StepContext } from './handler.ts';
import type { Opening } from './open.ts';
import { openKey } from './rules.ts';
import { checkStanding, witnessUse } from './witness.ts';

/**
 * Opens the opening of a sealed file. As with a signature: check everything that can be checked without the share,
 * write the act into log and session table durably, and only then compute.
 */
export const openOpening = async (context: StepContext, start: OpenStart): Promise<Opening<OpenedPoint>> => {
  const { party1, caller, request } = context;
  const { keyId, epoch, quorum, opener, ephemeral } = start;
  if (opener !== caller.party)
    throw new KeepsetError('policy/forbidden', `${opener} must ask for what it is to learn itself.`, {
      hint: `Start it on ${opener}.`,
    });
  const subject: ActSubject = { kind: 'open', keyId, epoch, message: sha256(ephemeral) };
  if (!quorum.includes(party1.party)) return witnessUse(context, quorum, subject, openingOf);
  const share = await openKey(context, start);
  const abandon = (): void => share.secret.wipe();
  try {
    checkStanding(context, quorum);
    const opening = openingOf(share.group.scheme);
    const params = {
      share,
      session: request.session,
      quorum,
      opener,
      ephemeral,
      ...(party1.rng === undefined ? {} : { rng: party1.rng }),
    };
    opening.checkOpen(params);
    const written = await party1.store.consume(sessionWrite(context, subject));
    if (!written.written) {
      abandon();
      return { answer: answerAgain(written.row, context) };
    }
    return {
      machine: opening.startOpen(params),
      devices: quorum.filter((party) => party !== party1.party),
      abandon,
      // Nothing is awaited from anyone: the part is ready with the first request.
      conclude: () => keepAnswer(abandon),
    };
  } catch (error) {
    abandon();
    throw error;
  }
};

/** @throws KeepsetError `input/unsupported` for a key that signs */
const openingOf = (scheme: Scheme): OpeningProtocol => {
  const { opening } = protocolFor(scheme);
  if (opening === undefined)
    throw new KeepsetError('input/unsupported', `A key of ${scheme} opens no files.`);
  return opening;
};
