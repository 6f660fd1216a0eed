/** The device's way to its server. */
import { httpTransport, openChannel, softwareSigner, type HttpTransport } from '@keepset/transport';
import type { DeviceIdentity } from '@keepset/wire';
import type { Account } from './account.ts';
import { unixSeconds } from './enrol.ts';

/** Nothing is sent yet. Whoever opens it closes it. */
export const openServer = (
  { server, pin, serverKey }: Account,
  { signingKey }: Pick<DeviceIdentity, 'signingKey'>,
): { readonly transport: HttpTransport; readonly close: () => void } => {
  const channel = openChannel({ url: server, ...(pin === undefined ? {} : { pin }) });
  const signer = softwareSigner(signingKey);
  return {
    transport: httpTransport({ channel, signer, serverKey, now: unixSeconds }),
    close: () => channel.close(),
  };
};
