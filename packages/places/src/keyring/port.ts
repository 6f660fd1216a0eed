/** The desktop's keyring: named secrets that are readable while the user is logged in. */
export interface Keyring {
  /** Null if there is none. @throws KeepsetError `place/locked`, `place/unreachable` */
  get(account: string): Promise<string | null>;
  /** Adds or replaces. */
  set(account: string, secret: string): Promise<void>;
  /** Does nothing if there is none. */
  remove(account: string): Promise<void>;
}
