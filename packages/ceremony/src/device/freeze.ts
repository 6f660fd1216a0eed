import { acceptEvidence } from './evidence.ts';
import type { DeviceParty } from './ports.ts';

/**
 * Stops a key, as after the theft of another device: from now on Party 1 refuses every session with it, and ends those
 * that are open. Only the server's operator lets it go on. Freezing a frozen key changes nothing.
 * @throws KeepsetError `input/unknown-key`; whatever {@link acceptEvidence} throws if the server does not prove it.
 */
export const runFreeze = async (device: DeviceParty, keyId: string): Promise<void> => {
  const head = await device.logPin.load();
  const { epoch, evidence } = await device.transport.freeze(keyId, head === undefined ? {} : { head });
  await acceptEvidence(device, evidence, { kind: 'freeze', keyId, epoch }, head);
};
