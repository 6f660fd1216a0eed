/** Several devices of one user in one session, all inside the test's process. */
import {
  joinGroup,
  joinKeygen,
  runKeygen,
  type Group,
  type GroupKey,
  type GroupPrompts,
  type Scheme,
} from '@keepset/ceremony';
import { printInvite } from '@keepset/transport';
import { newDevice, type TestDevice } from './device.ts';

/** What came of a session of several devices. */
export interface Meeting<T, U> {
  readonly started: T;
  readonly joined: U[];
  /** What each device showed its owner to compare. */
  readonly digits: string[];
}

/** Starts a session on one device and joins it from others, each with its own code. */
export const meet = async <T, U>(
  start: (prompts: GroupPrompts) => Promise<T>,
  joiners: ReadonlyMap<string, (group: Group) => Promise<U>>,
  devices: ReadonlyMap<string, TestDevice>,
): Promise<Meeting<T, U>> => {
  const digits: string[] = [];
  const joined: Promise<U>[] = [];
  const announced = Promise.withResolvers<void>();
  const starting = start({
    announce: ({ codes }) => {
      for (const { party, code } of codes) {
        const join = joiners.get(party);
        const device = devices.get(party);
        if (join === undefined || device === undefined) throw new Error(`nobody plays ${party}`);
        joined.push(
          joinGroup(device.device, code).then((group) => {
            digits.push(group.digits);
            return join(group);
          }),
        );
      }
      announced.resolve();
    },
    compare: (group) => {
      digits.push(group.digits);
      return Promise.resolve();
    },
  });
  await Promise.race([announced.promise, starting]);
  const [started, ...others] = await Promise.all([starting, ...joined]);
  return { started, joined: others, digits };
};

/** Makes a key on one device, which the others join. */
export const keygenTogether = (
  { device }: TestDevice,
  spec: { readonly scheme: Scheme; readonly policy: string },
  others: ReadonlyMap<string, TestDevice>,
): Promise<Meeting<GroupKey, GroupKey>> =>
  meet(
    (prompts) => runKeygen(device, spec, prompts),
    new Map(
      [...others].map(
        ([party, other]) => [party, (group: Group) => joinKeygen(other.device, group)] as const,
      ),
    ),
    others,
  );

/** An invitation for a further device of the same user. */
export const invitationBy = async ({ device, account }: TestDevice): Promise<string> => {
  const code = await device.transport.invite();
  const { server, pin } = account;
  return printInvite({ server, code, ...(pin === undefined ? {} : { pin }) });
};

/** A further device of the same user. */
export const addDevice = async (to: TestDevice, party: string): Promise<TestDevice> =>
  newDevice(await invitationBy(to), party);

/** The code of the error a promise ends with, or `no error`. */
export const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: { code?: string }) => error.code ?? error,
  );
