import type { EntryFields } from '@keepset/log';

/** An act of Party 1 as its log commits to it, in clear. Both sides derive the log entry's fields from this. */
export interface LoggedAct {
  readonly kind:
    | 'keygen'
    | 'sign'
    | 'open'
    | 'presign'
    | 'refresh'
    | 'reshare'
    | 'repair'
    | 'freeze'
    | 'unfreeze'
    | 'revoke'
    | 'export';
  readonly tenant: string;
  /** Who asked; of a `revoke`, the device that is revoked. */
  readonly device: string;
  readonly session?: Uint8Array;
  readonly keyId?: string;
  readonly epoch?: number;
  /** SHA-256 of what was signed, or of the ephemeral point of what was opened. */
  readonly message?: Uint8Array;
}

/** What a session did with a key. */
export interface SessionAct extends LoggedAct {
  readonly kind: 'keygen' | 'sign' | 'open' | 'presign' | 'refresh' | 'reshare' | 'repair';
  readonly session: Uint8Array;
  readonly keyId: string;
  readonly epoch: number;
}

/** Stands in the log for the device where the server's operator acted. */
export const operatorName = 'operator';

/** The fields of the act's log entry; without `device`, those that every device of the tenant can tell. */
export const entryFieldsOf = ({
  tenant,
  device,
  session,
  keyId,
  epoch,
  message,
}: Omit<LoggedAct, 'device'> & { readonly device?: string }): EntryFields => ({
  tenant,
  device,
  session,
  key: keyId,
  epoch,
  message,
});
