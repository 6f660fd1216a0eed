import { KeepsetError } from './errors.ts';

/**
 * Secret bytes that never print: string conversion, JSON and Node's inspect all give `[secret]`.
 * The bytes come out only through {@link Secret.reveal}, a name one can grep for.
 */
export class Secret {
  #bytes: Uint8Array | undefined;

  /** Takes ownership of `bytes`: the caller must not keep or change them. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * The secret bytes themselves, not a copy, so that {@link Secret.wipe} reaches them.
   * @throws KeepsetError `abort/state-consumed` after {@link Secret.wipe}.
   */
  reveal(): Uint8Array {
    if (this.#bytes === undefined)
      throw new KeepsetError('abort/state-consumed', 'This secret was already wiped.');
    return this.#bytes;
  }

  /**
   * Overwrites the bytes with zeros and forgets them. Copies that the JavaScript engine or a BigInt made
   * are out of reach: docs/threat-model.md says what that means.
   */
  wipe(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }
}

// Node's inspect looks this symbol up; installed here because declarations cannot name it.
Object.defineProperty(Secret.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value: () => '[secret]',
});
