/** Comparisons drawn from the analyser; no cell is typed in. */
import { analyse } from '../analysis/analyse.ts';
import type { PlaceTolerance } from '../analysis/tolerance.ts';
import { parsePolicy } from '../parse.ts';
import { printPolicy } from '../policy.ts';
import { isQuorum } from '../quorum.ts';
import { bareSetup } from '../setup/parse-setup.ts';
import { inKeychain, onPhone, onStick, setupOf } from '../setup/places.ts';
import { presets } from '../setup/presets.ts';
import { rangeOf, type Range, type Setup } from '../setup/setup.ts';

/** What a comparison says of one setup. */
export interface Comparison {
  readonly name: string;
  readonly policy: string;
  readonly parties: number;
  readonly lossTolerance: number;
  readonly theftTolerance: number;
  /** The same in single places: copies of one share are no parties, yet one of them may be lost. */
  readonly places: PlaceTolerance;
  readonly quorums: bigint;
  readonly singlePointsOfFailure: readonly string[];
  readonly singlePointsOfCompromise: readonly string[];
  /** Ids of listed events that alone lock out, and that alone let somebody else sign. */
  readonly lockedOutBy: readonly string[];
  readonly stolenBy: readonly string[];
  /** Whether it recovers without the internet after the phone is gone. */
  readonly offlineRecovery: boolean;
  readonly loss: Range | undefined;
  readonly theft: Range | undefined;
  readonly credibleMinimum: boolean;
}

/** Analyses setups side by side. @throws KeepsetError as {@link analyse}. */
export const compare = (
  setups: readonly { readonly name: string; readonly setup: Setup }[],
): readonly Comparison[] =>
  setups.map(({ name, setup }) => {
    const analysis = analyse(setup);
    const idsWhere = (is: 'lost' | 'leaked'): readonly string[] =>
      analysis.events.filter(({ key }) => key[is]).map(({ id }) => id);
    return {
      name,
      policy: printPolicy(setup.policy),
      parties: analysis.parties.length,
      lossTolerance: analysis.lossTolerance,
      theftTolerance: analysis.theftTolerance,
      places: analysis.places,
      quorums: analysis.minimalQuorums.total,
      singlePointsOfFailure: analysis.singlePointsOfFailure,
      singlePointsOfCompromise: analysis.singlePointsOfCompromise,
      lockedOutBy: idsWhere('lost'),
      stolenBy: idsWhere('leaked'),
      offlineRecovery: recoversOffline(setup),
      loss: analysis.loss.probability,
      theft: analysis.theft.probability,
      credibleMinimum: analysis.credibleMinimum.met,
    };
  });

/** Offline and without the phone, a share counts if a copy of it needs neither. */
const recoversOffline = ({ policy, shares }: Setup): boolean =>
  isQuorum(
    policy,
    [...shares].flatMap(([party, copies]) =>
      copies.some((copy) => copy.online !== true && copy.device !== 'phone') ? [party] : [],
    ),
  );

/** The strategies of the original section 6.2, each place lost with 5 % and stolen with 1 %. */
export const strategyTable = (): readonly Comparison[] =>
  compare(
    (
      [
        ['Single device', 'a'],
        ['AND (2 of 2)', 'and(a,b)'],
        ['OR (1 of 2)', 'or(a,b)'],
        ['2 of 3', 'thresh(2,a,b,c)'],
        ['2 of 4', 'thresh(2,a,b,c,d)'],
        ['3 of 5', 'thresh(3,a,b,c,d,e)'],
      ] as const
    ).map(([name, policy]) => ({
      name,
      setup: bareSetup(parsePolicy(policy), rangeOf(0.05), rangeOf(0.01)),
    })),
  );

/** The three ways of the original section 7: a device backup, shares, and copies on stick and in the cloud. */
export const backupTable = (): readonly Comparison[] =>
  compare([
    { name: 'iCloud backup', setup: setupOf('key', { key: [onPhone(), inKeychain('icloud')] }) },
    {
      name: '2-of-3 shares',
      setup: presets.find(({ id }) => id === 'topology-1')?.corrected ?? setupOf('key', { key: [onPhone()] }),
    },
    {
      name: 'USB and iCloud',
      setup: setupOf('key', { key: [onPhone(), onStick('usb', 'home', 'passphrase'), inKeychain('icloud')] }),
    },
  ]);

/** Every preset as it was and corrected. */
export const presetTable = (): readonly Comparison[] =>
  compare(
    presets.flatMap(({ id, original, corrected }) => [
      { name: id, setup: original },
      { name: `${id}, corrected`, setup: corrected },
    ]),
  );
