/**
 * Random vector OLE: Bob has a random b, Alice two values a_1, a_2 of her choice; they end with shares
 * c_i + d_i = a_i · b, with one message from Alice on top of a batch of ξ = 416 random OTs in which Bob's choice
 * bits are β.
 *
 *     b   = Σ_j g_j β_j                              for the public gadget vector g
 *     c_i = −Σ_j g_j α⁰_{j,i}
 *     ã_j = α⁰_j − α¹_j + (a_1, a_2, â)              for a random check value â
 *     θ   = hash(ã)
 *     η   = â + θ_1 a_1 + θ_2 a_2
 *     µ_j = α⁰_{j,3} + θ_1 α⁰_{j,1} + θ_2 α⁰_{j,2}   of which only the hash µ is sent
 *
 *     ḋ_j = γ_j + β_j ã_j                            with γ_j = α^{β_j}_j
 *     d_i = Σ_j g_j ḋ_{j,i}
 *     µ'_j = ḋ_{j,3} + θ_1 ḋ_{j,1} + θ_2 ḋ_{j,2} − β_j η
 *
 * Bob's check µ' = µ depends on β, so meeting a failure is terminal for the pair.
 *
 * @spec eprint 2023/765 Protocol 5.2 with ℓ = 2, ρ = 1 (see parameters.ts)
 * @deviation Step 3 prints θ_{k,k} in µ and θ_{j,i} in the proof; θ_{i,k} is meant, as in step 4.
 */
import { bytesEqual, concatBytes, utf8ToBytes } from '@keepset/bytes';
import type { EcdsaCurve, HashPort, RandomBytes } from '../curve/port.ts';
import { bitAt } from './bits.ts';
import { hashRows } from './ot-extension.ts';
import { checkLength, multiplicationOts, vectorLength } from './parameters.ts';

/** Curve and hash. */
export interface Kernel {
  readonly curve: EcdsaCurve;
  readonly hash: HashPort;
}

/** A value for each of the two multiplied inputs. */
export type Pair = readonly [bigint, bigint];

/** What Alice sends. */
export interface ProductMessage {
  /** ã: three scalars for each OT, 32 bytes each. */
  readonly masked: Uint8Array;
  /** η, a scalar. */
  readonly response: Uint8Array;
  /** Hash of µ. */
  readonly digest: Uint8Array;
}

const rowLength = vectorLength + checkLength;

/** Lengths of the fields of a {@link ProductMessage}. */
export const productLengths: { readonly masked: number; readonly response: number; readonly digest: number } =
  {
    masked: multiplicationOts * rowLength * 32,
    response: 32,
    digest: 32,
  };

const label = (name: string): Uint8Array => utf8ToBytes(`keepset/ecdsa/rvole/${name}/v1`);
const labels = { gadget: label('gadget'), challenge: label('challenge'), digest: label('digest') };

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** `count` scalars from hash(seed ‖ index ‖ block). */
const scalarsFrom = ({ curve, hash }: Kernel, seed: Uint8Array, count: number): bigint[] => {
  const blocks = Math.ceil(curve.wideBytes / 32);
  const length = 32 + 3;
  const packed = new Uint8Array(count * blocks * length);
  for (let n = 0; n < count * blocks; n++) {
    const index = Math.floor(n / blocks);
    packed.set(seed, n * length);
    packed.set([index >> 8, index & 255, n % blocks], n * length + 32);
  }
  const view = viewOf(hash.sha256Each(packed, length, count * blocks));
  return Array.from({ length: count }, (_, index) => curve.readUniformScalar(view, index * blocks * 32));
};

const gadgets = new Map<string, readonly bigint[]>();

/** g: uniform, the same for everyone, with nothing up the sleeve. */
export const gadgetVector = (kernel: Kernel): readonly bigint[] => {
  const { name } = kernel.curve;
  let gadget = gadgets.get(name);
  if (gadget === undefined) {
    const seed = kernel.hash.sha256(concatBytes(labels.gadget, utf8ToBytes(name)));
    gadget = scalarsFrom(kernel, seed, multiplicationOts);
    gadgets.set(name, gadget);
  }
  return gadget;
};

const masked = (bit: number, value: bigint): bigint => value & -BigInt(bit);

/** Bob's factor b for his choice bits β. */
export const factorOf = (kernel: Kernel, choices: Uint8Array): bigint =>
  kernel.curve.reduce(
    gadgetVector(kernel).reduce((sum, weight, j) => sum + masked(bitAt(choices, j), weight), 0n),
  );

/** The random OT messages of a batch as scalars: three for each row. */
const otScalars = (kernel: Kernel, batch: Uint8Array, rows: Int32Array, offset: Int32Array): bigint[] => {
  const { curve, hash } = kernel;
  const blocks = Math.ceil((rowLength * curve.wideBytes) / 32);
  const digests = hashRows(hash, batch, rows, offset, blocks);
  const view = viewOf(digests);
  const scalars: bigint[] = [];
  for (let j = 0; j < multiplicationOts; j++)
    for (let i = 0; i < rowLength; i++)
      scalars.push(curve.readUniformScalar(view, j * blocks * 32 + i * curve.wideBytes));
  digests.fill(0);
  return scalars;
};

const challengeOf = (kernel: Kernel, batch: Uint8Array, maskedBytes: Uint8Array): Pair => {
  const seed = kernel.hash.sha256(concatBytes(labels.challenge, batch, maskedBytes));
  const [first = 0n, second = 0n] = scalarsFrom(kernel, seed, vectorLength);
  return [first, second];
};

const digestOf = (kernel: Kernel, batch: Uint8Array, values: Uint8Array): Uint8Array =>
  kernel.hash.sha256(concatBytes(labels.digest, batch, values));

/** Alice. @param rows her rows of the extension; `delta` its 4 words. */
export const multiplyAsAlice = (
  kernel: Kernel,
  batch: Uint8Array,
  rows: Int32Array,
  delta: Int32Array,
  inputs: Pair,
  random: RandomBytes,
): { readonly message: ProductMessage; readonly shares: Pair } => {
  const { curve } = kernel;
  const gadget = gadgetVector(kernel);
  const zeros = otScalars(kernel, batch, rows, new Int32Array(4));
  const ones = otScalars(kernel, batch, rows, delta);
  const check = curve.randomScalar(random);
  const added = [inputs[0], inputs[1], check];
  const maskedBytes = new Uint8Array(productLengths.masked);
  const view = viewOf(maskedBytes);
  for (let n = 0; n < zeros.length; n++) {
    const sum = (zeros[n] as bigint) - (ones[n] as bigint) + (added[n % rowLength] as bigint);
    curve.writeInteger(view, 32 * n, curve.reduce(sum));
  }
  const [t1, t2] = challengeOf(kernel, batch, maskedBytes);
  const values = new Uint8Array(32 * multiplicationOts);
  const valuesView = viewOf(values);
  let c1 = 0n;
  let c2 = 0n;
  for (let j = 0; j < multiplicationOts; j++) {
    const first = zeros[rowLength * j] as bigint;
    const second = zeros[rowLength * j + 1] as bigint;
    const third = zeros[rowLength * j + 2] as bigint;
    c1 -= (gadget[j] as bigint) * first;
    c2 -= (gadget[j] as bigint) * second;
    curve.writeInteger(valuesView, 32 * j, curve.reduce(third + t1 * first + t2 * second));
  }
  return {
    message: {
      masked: maskedBytes,
      response: curve.encodeScalar(curve.reduce(check + t1 * inputs[0] + t2 * inputs[1])),
      digest: digestOf(kernel, batch, values),
    },
    shares: [curve.reduce(c1), curve.reduce(c2)],
  };
};

/** Alice's message with its scalars read. */
export interface ReadProduct {
  readonly message: ProductMessage;
  readonly masked: readonly bigint[];
  readonly response: bigint;
}

/** Reads Alice's message. @returns undefined if a scalar is not canonical. */
export const readProduct = ({ curve }: Kernel, message: ProductMessage): ReadProduct | undefined => {
  const view = viewOf(message.masked);
  const values: bigint[] = [];
  for (let n = 0; n < multiplicationOts * rowLength; n++) values.push(curve.readInteger(view, 32 * n));
  const response = curve.decodeScalar(message.response);
  if (response === undefined || values.some((value) => value >= curve.order)) return undefined;
  return { message, masked: values, response };
};

/**
 * Bob.
 * @param rows his rows of the extension with the choice bits `choices`.
 * @returns his shares, or undefined if Alice's check fails. See above: that is terminal.
 */
export const multiplyAsBob = (
  kernel: Kernel,
  batch: Uint8Array,
  rows: Int32Array,
  choices: Uint8Array,
  product: ReadProduct,
): Pair | undefined => {
  const { curve } = kernel;
  const gadget = gadgetVector(kernel);
  const chosen = otScalars(kernel, batch, rows, new Int32Array(4));
  const [t1, t2] = challengeOf(kernel, batch, product.message.masked);
  const values = new Uint8Array(32 * multiplicationOts);
  const view = viewOf(values);
  let d1 = 0n;
  let d2 = 0n;
  for (let j = 0; j < multiplicationOts; j++) {
    const bit = bitAt(choices, j);
    const sum = (i: number): bigint =>
      (chosen[rowLength * j + i] as bigint) + masked(bit, product.masked[rowLength * j + i] as bigint);
    const first = sum(0);
    const second = sum(1);
    d1 += (gadget[j] as bigint) * first;
    d2 += (gadget[j] as bigint) * second;
    const value = sum(2) + t1 * first + t2 * second - masked(bit, product.response);
    curve.writeInteger(view, 32 * j, curve.reduce(value));
  }
  if (!bytesEqual(digestOf(kernel, batch, values), product.message.digest)) return undefined;
  return [curve.reduce(d1), curve.reduce(d2)];
};
