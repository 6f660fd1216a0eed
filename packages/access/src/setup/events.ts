import { rangeOf, type RiskEvent } from './setup.ts';

/**
 * What commonly happens to keys, per year. The probabilities are assumptions with wide ranges, for a private
 * person in a rich country; they are there to be replaced. Domains are those the place templates use.
 */
export const eventLibrary: readonly RiskEvent[] = [
  {
    id: 'phone-lost',
    title: 'the phone is lost or breaks',
    probability: rangeOf(0.02, 0.1),
    loses: ['device:phone'],
    // Whoever finds it holds a locked phone.
    exposes: ['device:phone'],
  },
  {
    id: 'phone-stolen',
    title: 'the phone is stolen by someone who saw the passcode',
    probability: rangeOf(0.0005, 0.005),
    // With the passcode a thief can change the account's password and delete what is synced.
    loses: ['device:phone', 'account:apple'],
    exposes: ['device:phone', 'account:apple', 'secret:passcode'],
  },
  {
    id: 'apple-locked',
    title: 'the Apple account is locked for good',
    probability: rangeOf(0.001, 0.01),
    loses: ['account:apple'],
    exposes: [],
  },
  {
    id: 'apple-taken',
    title: 'the Apple account is taken over',
    probability: rangeOf(0.001, 0.01),
    loses: ['account:apple'],
    exposes: ['account:apple', 'secret:apple-login'],
  },
  {
    id: 'burglary',
    title: 'burglars empty the home',
    probability: rangeOf(0.005, 0.02),
    loses: ['location:home'],
    exposes: ['location:home'],
  },
  {
    id: 'house-fire',
    title: 'the house burns down',
    probability: rangeOf(0.001, 0.005),
    // At night the phone is at home too.
    loses: ['location:home', 'location:pocket'],
    exposes: [],
  },
  {
    id: 'usb-rot',
    title: 'the stick cannot be read any more',
    probability: rangeOf(0.01, 0.05),
    loses: ['kind:usb'],
    exposes: [],
    each: true,
  },
  {
    id: 'server-gone',
    title: 'the server is gone for good',
    probability: rangeOf(0.005, 0.05),
    loses: ['kind:server'],
    exposes: [],
  },
  {
    id: 'server-breached',
    title: 'the server is broken into, or its operator turns',
    probability: rangeOf(0.002, 0.02),
    loses: [],
    exposes: ['kind:server'],
  },
  {
    id: 'coercion',
    title: 'the owner is forced at home to open everything',
    probability: rangeOf(0.00001, 0.0005),
    loses: ['location:home', 'location:pocket', 'account:apple'],
    exposes: [
      'location:home',
      'location:pocket',
      'device:phone',
      'device:ipad',
      'account:apple',
      'person:owner',
    ],
  },
  {
    id: 'owner-dies',
    title: 'the owner dies',
    probability: rangeOf(0.001, 0.01),
    // What was only in one head is gone; things remain.
    loses: ['person:owner'],
    exposes: [],
  },
];

/** The same for a place that the library does not know: a relative's house, a bank. */
export const placeEvent = (location: string): RiskEvent => ({
  id: `taken-${location}`,
  title: `everything kept at ${location} is stolen`,
  probability: rangeOf(0.002, 0.02),
  loses: [`location:${location}`],
  exposes: [`location:${location}`],
});
