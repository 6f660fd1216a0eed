import { toHex } from '@keepset/bytes';
import { addressOfScript } from './bitcoin.ts';
import type { BitcoinNetwork, DescriptionLine } from './intent.ts';
import type { PsbtInput, PsbtOutput, PsbtView } from './psbt-view.ts';
import { asciiOrUndefined, counted, decimal, grouped, line } from './text.ts';

/** Every input, every output, the sums and the fee, in plain words. */
export const describePsbt = (view: PsbtView, network: BitcoinNetwork): readonly DescriptionLine[] => {
  const { inputs, outputs, fee } = view;
  const rate = feeRate(view);
  const own = inputs.filter((input) => input.own !== undefined);
  const leaving = sum(own) - sum(outputs.filter((output) => output.own));
  return [
    line('Format', 'Bitcoin transaction (PSBT)'),
    line('Network', network),
    leaving >= 0n
      ? line('Leaves this key', `${bitcoin(leaving)}, fee included`)
      : line('Comes to this key', bitcoin(-leaving)),
    ...outputs.map((output, i) =>
      line(`Output ${i + 1} of ${outputs.length}`, `${bitcoin(output.amount)} ${recipient(output, network)}`),
    ),
    line(
      'Fee',
      bitcoin(fee) +
        (rate === undefined ? '' : `, ${rate.toFixed(1)} sat/vB`) +
        (sum(inputs) === 0n ? '' : `, ${percent(fee, sum(inputs))} of the inputs`),
    ),
    ...inputs.map((input, i) =>
      line(`Input ${i + 1} of ${inputs.length}`, describeInput(input, view.version, network)),
    ),
    line('Sum of inputs', bitcoin(sum(inputs))),
    line('Sum of outputs', bitcoin(sum(outputs))),
    line('Signatures', `${own.length}, each over all inputs and outputs`),
    ...(view.lockTime === 0 ? [] : [line('Not valid before', lockTimeText(view))]),
    ...(inputs.some(({ sequence }) => sequence < 0xfffffffe)
      ? [line('Replaceable', 'yes: until it is mined, its signers can replace it')]
      : []),
    line('Version', view.version.toString()),
  ];
};

/** What a careful person should stop at. */
export const psbtWarnings = (view: PsbtView, network: BitcoinNetwork): readonly string[] => {
  const { inputs, outputs, fee } = view;
  const warnings: string[] = [];
  const rate = feeRate(view);
  if (rate !== undefined && rate > highFeeRate)
    warnings.push(`The fee rate is high: ${rate.toFixed(1)} sat/vB.`);
  if (fee * 100n > sum(inputs) * highFeePercent)
    warnings.push(`The fee is high: ${percent(fee, sum(inputs))} of the inputs.`);
  if (rate !== undefined && rate < 1)
    warnings.push('The fee is below 1 sat/vB: nodes may not pass the transaction on.');
  const foreign = inputs.filter((input) => input.own === undefined);
  if (foreign.length > 0)
    warnings.push(
      `${counted(foreign.length, 'input')} of ${inputs.length} worth ${bitcoin(sum(foreign))} ` +
        'not of this key: others must sign as well.',
    );
  outputs.forEach((output, i) => {
    if (isData(output.script)) {
      if (output.amount > 0n) warnings.push(`Output ${i + 1} destroys ${bitcoin(output.amount)}.`);
    } else if (addressOfScript(output.script, network) === undefined)
      warnings.push(`Output ${i + 1} pays to a script that has no address and is not understood here.`);
  });
  if (view.version < 1 || view.version > 2) warnings.push(`Transaction version ${view.version} is unusual.`);
  return warnings;
};

/** sat/vB above which a fee is called high. */
const highFeeRate = 200;
/** Percent of the inputs above which a fee is called high. */
const highFeePercent = 5n;

const sum = (items: readonly { readonly amount: bigint }[]): bigint =>
  items.reduce((total, { amount }) => total + amount, 0n);

const bitcoin = (satoshi: bigint): string => `${decimal(satoshi, 8)} BTC (${grouped(satoshi)} sat)`;

const percent = (part: bigint, whole: bigint): string =>
  whole === 0n ? '100 %' : `${decimal((part * 10_000n) / whole, 2)} %`;

const isData = (script: Uint8Array): boolean => script[0] === 0x6a;

const recipient = (output: PsbtOutput, network: BitcoinNetwork): string => {
  const { script, own } = output;
  if (isData(script)) {
    // Past the opcode and its one push, where it is one.
    const text = script[1] === script.length - 2 ? asciiOrUndefined(script.subarray(2)) : undefined;
    return `as data that nobody can spend: ${toHex(script)}${text === undefined ? '' : ` ("${text}")`}`;
  }
  const address = addressOfScript(script, network);
  const to =
    address === undefined
      ? `to the script ${toHex(script) || '(empty: anyone can spend it)'}`
      : `to ${address}`;
  return own ? `${to} (back to this key)` : to;
};

const describeInput = (input: PsbtInput, version: number, network: BitcoinNetwork): string => {
  const { sequence } = input;
  const from = addressOfScript(input.script, network) ?? `script ${toHex(input.script)}`;
  return (
    `${bitcoin(input.amount)} from ${from} (${owner(input)}), ${input.outpoint}, ` +
    `sequence 0x${sequence.toString(16)}${relativeLock(sequence, version)}`
  );
};

/** How long after its spent output was mined an input stays invalid. @spec BIP 68 */
const relativeLock = (sequence: number, version: number): string => {
  const time = sequence & 0xffff;
  // Bit 31 switches it off.
  if (version < 2 || sequence >= 2 ** 31 || time === 0) return '';
  const wait = (sequence & (1 << 22)) === 0 ? counted(time, 'block') : counted(time * 512, 'second');
  return `: not before ${wait} after what it spends`;
};

const owner = ({ own, finalized }: PsbtInput): string => {
  if (own === undefined) return finalized ? 'not of this key, signed by its owner' : 'not of this key';
  const hasScripts = (own.request.taproot?.merkleRoot.length ?? 0) > 0;
  return hasScripts ? 'this key, by the key path; it has a script path too' : 'this key';
};

/** Below it a lock time is a block height, from it on seconds since 1970. @spec BIP 65 */
const lockTimeThreshold = 500_000_000;

const lockTimeText = ({ lockTime, inputs }: PsbtView): string => {
  const when =
    lockTime < lockTimeThreshold ? `block ${grouped(lockTime)}` : new Date(lockTime * 1000).toISOString();
  return inputs.every(({ sequence }) => sequence === 0xffffffff) ? `${when} (without effect)` : when;
};

/** sat/vB of the finished transaction; undefined if others have to sign, since their part is not known. */
const feeRate = ({ inputs, unsigned, fee }: PsbtView): number | undefined => {
  let weight = unsigned.length * 4 + 2;
  for (const { own } of inputs) {
    if (own === undefined) return undefined;
    // Witness: BIP 340 signature (and its type byte); or DER signature of mostly 71 bytes, its type and the key.
    weight += own.request.taproot === undefined ? 1 + 1 + 72 + 1 + 33 : 1 + 1 + 64 + own.sighash;
  }
  return Number(fee) / Math.ceil(weight / 4);
};
