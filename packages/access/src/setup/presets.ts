/**
 * The setups that the original design recommends, as it describes them, each beside its corrected form. The
 * analyser says what is wrong with the first and shows that the second holds.
 */
import { inKeychain, onPaper, onPhone, onServer, onStick, setupOf } from './places.ts';
import type { Copy, Setup } from './setup.ts';

/** A recommended setup and what becomes of it. */
export interface Preset {
  readonly id: string;
  readonly title: string;
  /** As recommended originally. */
  readonly original: Setup;
  readonly corrected: Setup;
  /** What was changed, one sentence each. */
  readonly changes: readonly string[];
}

/** What is said of a preset in one of its two forms. */
export interface PresetFacts extends Pick<Preset, 'id' | 'title' | 'changes'> {
  readonly corrected: boolean;
}

const seal = 'or(passphrase,kit)';

/** The kit in two places, so that no fire takes it; in neither lies a stick, which it would open. */
const kitTwice: readonly Copy[] = [onPaper('kit', 'home'), onPaper('kit-2', 'office')];

/** The original two parties, the server one of them. */
const withServer = (copies: readonly Copy[]): Setup =>
  setupOf('and(server,phone)', { server: [onServer('phone')], phone: copies });

/** The server kept, but neither needed nor, for whoever has the phone, enough with it. */
const withoutNeedForServer = (copies: readonly Copy[], sticks: readonly Copy[]): Setup =>
  setupOf(
    'thresh(3,phone,server,usb,paper)',
    {
      phone: [onPhone(), ...copies],
      server: [onServer('phone')],
      usb: sticks,
      paper: [onPaper('paper', 'bank')],
    },
    { kit: kitTwice },
  );

const changes = {
  exit: 'Three of four instead of two of two: the stick and a page in the bank hold shares of their own, so the server can disappear.',
  thief: 'Phone and server no longer suffice: the server signs for whoever has the phone and its passcode.',
  stick:
    'The stick lies away from home, sealed under a passphrase or the printed kit, of which there are two.',
  keychain: 'The iCloud copy is sealed under the passphrase or the kit before it goes in.',
  secondStick: 'A second stick with the same share lies in a third place.',
};

const stickAway = onStick('usb', 'relatives', seal);
const sealedKeychain = inKeychain('icloud', seal);

/** The seed's recommendations in the order it gives them. */
export const presets: readonly Preset[] = [
  {
    id: 'defaults',
    title: 'Default settings',
    original: withServer([onPhone(), inKeychain('icloud')]),
    corrected: withoutNeedForServer([sealedKeychain], [stickAway]),
    changes: [changes.exit, changes.thief, changes.stick, changes.keychain],
  },
  {
    id: 'pro',
    title: 'Pro configuration',
    original: withServer([onPhone(), inKeychain('icloud'), onStick('usb', 'home')]),
    corrected: withoutNeedForServer([sealedKeychain], [stickAway, onStick('usb-2', 'friends', seal)]),
    changes: [changes.exit, changes.thief, changes.stick, changes.secondStick, changes.keychain],
  },
  {
    id: 'topology-1',
    title: 'Topology 1: physical and digital',
    original: setupOf('thresh(2,phone,usb,cloud)', {
      phone: [onPhone()],
      usb: [onStick('usb', 'home', 'passphrase')],
      cloud: [inKeychain('cloud')],
    }),
    corrected: setupOf(
      'thresh(2,phone,usb,cloud)',
      {
        phone: [onPhone()],
        usb: [stickAway],
        cloud: [inKeychain('cloud', 'kit'), onPaper('cloud-page', 'bank')],
      },
      { kit: [onPaper('kit', 'bank')] },
    ),
    changes: [
      'The iCloud share is sealed under the printed kit, which neither phone nor passcode yields.',
      'It has a second copy on paper elsewhere: whoever has phone and passcode can delete the first.',
      'The stick and the kit lie away from home, where no fire takes them together with the phone.',
      'The stick also opens with the kit, so that it does not hang on one memory.',
    ],
  },
  {
    id: 'topology-2',
    title: 'Topology 2: two sticks',
    original: setupOf('thresh(2,phone,usb-1,usb-2,cloud)', {
      phone: [onPhone()],
      'usb-1': [onStick('usb-1', 'home', 'passphrase')],
      'usb-2': [onStick('usb-2', 'relatives', 'passphrase')],
      cloud: [inKeychain('cloud')],
    }),
    corrected: setupOf(
      'thresh(2,phone,usb-1,usb-2,cloud)',
      {
        phone: [onPhone()],
        'usb-1': [onStick('usb-1', 'bank', seal)],
        'usb-2': [onStick('usb-2', 'relatives', seal)],
        cloud: [inKeychain('cloud', 'kit')],
      },
      { kit: [onPaper('kit', 'office')] },
    ),
    changes: [
      'Both sticks lie away from home, in two places: at home, force would yield phone, stick and passphrase.',
      'The iCloud share is sealed under the printed kit, which neither phone nor passcode yields.',
      'The sticks also open with the kit, so that they do not hang on one memory.',
    ],
  },
  {
    id: 'option-a',
    title: 'Option A: phone and stick',
    original: withServer([onPhone(), onStick('usb', 'home')]),
    corrected: withoutNeedForServer([], [stickAway]),
    changes: [changes.exit, changes.thief, changes.stick],
  },
  {
    id: 'option-b',
    title: 'Option B: iCloud Keychain',
    original: withServer([onPhone(), inKeychain('icloud')]),
    corrected: setupOf(
      'thresh(3,phone,server,paper,paper-2)',
      {
        phone: [onPhone(), inKeychain('icloud', 'kit')],
        server: [onServer('phone')],
        paper: [onPaper('paper', 'bank')],
        'paper-2': [onPaper('paper-2', 'relatives')],
      },
      { kit: [onPaper('kit', 'office')] },
    ),
    changes: [
      'Three of four instead of two of two: two printed shares in two safe places, so the server can disappear.',
      changes.thief,
      'The iCloud copy is sealed under the printed kit before it goes in.',
    ],
  },
  {
    id: 'combined',
    title: 'Combined',
    original: withServer([onPhone(), onStick('usb', 'home'), inKeychain('icloud')]),
    corrected: withoutNeedForServer([sealedKeychain], [stickAway]),
    changes: [changes.exit, changes.thief, changes.stick, changes.keychain],
  },
];
