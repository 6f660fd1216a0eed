/** Where the time goes: the kernel's functions wrapped with counters. */
import { nobleHash } from '../../packages/threshold/src/curve/hash.ts';
import { secp256k1Curve } from '../../packages/threshold/src/curve/noble.ts';
import type { EcdsaCurve, HashPort } from '../../packages/threshold/src/curve/port.ts';
import { startEcdsaKeygen } from '../../packages/threshold/src/ecdsa/keygen.ts';
import { startEcdsaSign } from '../../packages/threshold/src/ecdsa/sign.ts';
import { ecdsaSecp256k1Suite } from '../../packages/threshold/src/ecdsa/suites.ts';
import { processorMs, runAll } from './parties.ts';

interface Counter {
  calls: number;
  milliseconds: number;
}

/** Scalar conversions are too short to be timed one by one. */
const untimed = new Set([
  'readInteger',
  'writeInteger',
  'readUniformScalar',
  'reduce',
  'encodeScalar',
  'decodeScalar',
]);

const counted = <T extends object>(port: T, counters: Map<string, Counter>): T => {
  let depth = 0;
  const wrapped = Object.entries(port).map(([name, value]) => {
    if (typeof value !== 'function' || untimed.has(name)) return [name, value] as const;
    const work = value as (...args: unknown[]) => unknown;
    const counter = { calls: 0, milliseconds: 0 };
    counters.set(name, counter);
    const replacement = (...args: unknown[]): unknown => {
      const begin = processorMs();
      depth += 1;
      const result = work(...args);
      depth -= 1;
      if (depth === 0) {
        counter.calls += name === 'sha256Each' ? (args[2] as number) : 1;
        counter.milliseconds += processorMs() - begin;
      }
      return result;
    };
    return [name, replacement] as const;
  });
  return Object.fromEntries(wrapped) as T;
};

/** Prints a table of port calls for a 2-of-2 signature and a 2-of-2 keygen. */
export const printProfile = (): void => {
  const counters = new Map<string, Counter>();
  const curve: EcdsaCurve = counted(secp256k1Curve, counters);
  const hash: HashPort = counted(nobleHash, counters);
  const suite = { ...ecdsaSecp256k1Suite, curve, hash };
  const parties = ['phone', 'server'];
  const session = new Uint8Array(32);
  const common = { scheme: suite.scheme, session, policy: 'and(phone,server)', parties, threshold: 2 };
  const make = (): ReturnType<typeof runAll> =>
    runAll(new Map(parties.map((me) => [me, () => startEcdsaKeygen(suite, { ...common, me })])));
  const key = runAll(new Map(parties.map((me) => [me, () => startEcdsaKeygen(suite, { ...common, me })])));
  const request = { message: new Uint8Array(100), digest: 'sha256' } as const;
  const signOnce = (): ReturnType<typeof runAll> =>
    runAll(
      new Map(
        key.results.map((share) => [
          share.party,
          () => startEcdsaSign(suite, { share, session, quorum: parties, request }),
        ]),
      ),
    );
  for (let i = 0; i < 20; i++) signOnce();
  report('2-of-2 signature', counters, 40, signOnce);
  report('2-of-2 keygen', counters, 2, make);
};

const report = (
  title: string,
  counters: ReadonlyMap<string, Counter>,
  rounds: number,
  work: () => { readonly milliseconds: number },
): void => {
  for (const counter of counters.values()) Object.assign(counter, { calls: 0, milliseconds: 0 });
  let total = 0;
  for (let i = 0; i < rounds; i++) total += work().milliseconds;
  console.log(`${title}, both parties: ${(total / rounds).toFixed(1)} ms`);
  let inPort = 0;
  for (const [name, { calls, milliseconds }] of [...counters].toSorted(
    ([, a], [, b]) => b.milliseconds - a.milliseconds,
  )) {
    inPort += milliseconds;
    if (calls === 0) continue;
    const each = ((milliseconds / calls) * 1000).toFixed(1);
    const share = ((100 * milliseconds) / total).toFixed(0);
    console.log(
      `  ${name.padEnd(20)} ${(calls / rounds).toFixed(0).padStart(7)} calls  ${each.padStart(8)} µs each  ${(milliseconds / rounds).toFixed(2).padStart(8)} ms  ${share.padStart(3)} %`,
    );
  }
  const rest = (total - inPort) / rounds;
  console.log(
    `  ${'outside the port'.padEnd(20)} ${rest.toFixed(2).padStart(39)} ms  ${((100 * rest * rounds) / total).toFixed(0).padStart(3)} % (bit matrices, scalar sums, encoding)`,
  );
};
