/** The yardstick's keygen and signature among parties in one process, or undefined where it is not installed. */
import { createRequire } from 'node:module';

interface WasmMessage {
  readonly from_id: number;
  readonly to_id?: number;
  readonly payload: Uint8Array;
  clone(): WasmMessage;
}
interface WasmShare {
  toBytes(): Uint8Array;
}
interface WasmKeygen {
  createFirstMessage(): WasmMessage;
  handleMessages(messages: WasmMessage[], commitments?: Uint8Array[]): WasmMessage[];
  calculateChainCodeCommitment(): Uint8Array;
  keyshare(): WasmShare;
}
interface WasmSign {
  createFirstMessage(): WasmMessage;
  handleMessages(messages: WasmMessage[]): WasmMessage[];
  lastMessage(hash: Uint8Array): WasmMessage;
  combine(messages: WasmMessage[]): Uint8Array[];
}
interface Wasm {
  readonly KeygenSession: new (parties: number, threshold: number, party: number) => WasmKeygen;
  readonly SignSession: new (share: WasmShare, path: string) => WasmSign;
  readonly Keyshare: { fromBytes(bytes: Uint8Array): WasmShare };
}

/** What is measured of it. Shares are bytes, because signing consumes the object. */
export interface Yardstick {
  readonly version: string;
  keygen(threshold: number, parties: number): Uint8Array[];
  sign(shares: readonly Uint8Array[], hash: Uint8Array): void;
}

const packageName = '@silencelaboratories/dkls-wasm-ll-node';

export const loadYardstick = (): Yardstick | undefined => {
  const require = createRequire(import.meta.url);
  try {
    const { version } = require(`${packageName}/package.json`) as { version: string };
    return yardstickOf(require(packageName) as Wasm, version);
  } catch {
    return undefined;
  }
};

const others = (messages: readonly WasmMessage[], me: number): WasmMessage[] =>
  messages.filter((message) => message.from_id !== me).map((message) => message.clone());
const addressed = (messages: readonly WasmMessage[], me: number): WasmMessage[] =>
  messages.filter((message) => message.to_id === me).map((message) => message.clone());

const yardstickOf = (wasm: Wasm, version: string): Yardstick => ({
  version,
  keygen: (threshold, parties) => {
    const all = Array.from({ length: parties }, (_, i) => new wasm.KeygenSession(parties, threshold, i));
    const first = all.map((party) => party.createFirstMessage());
    const second = all.flatMap((party, i) => party.handleMessages(others(first, i)));
    const third = all.flatMap((party, i) => party.handleMessages(addressed(second, i)));
    const commitments = all.map((party) => party.calculateChainCodeCommitment());
    const fourth = all.flatMap((party, i) => party.handleMessages(addressed(third, i), commitments));
    for (const [i, party] of all.entries()) party.handleMessages(others(fourth, i));
    return all.map((party) => party.keyshare().toBytes());
  },
  sign: (shares, hash) => {
    const all = shares.map((share) => new wasm.SignSession(wasm.Keyshare.fromBytes(share), 'm'));
    const first = all.map((party) => party.createFirstMessage());
    const second = all.flatMap((party, i) => party.handleMessages(others(first, i)));
    const third = all.flatMap((party, i) => party.handleMessages(addressed(second, i)));
    for (const [i, party] of all.entries()) party.handleMessages(addressed(third, i));
    const last = all.map((party) => party.lastMessage(hash));
    for (const [i, party] of all.entries()) party.combine(others(last, i));
  },
});
