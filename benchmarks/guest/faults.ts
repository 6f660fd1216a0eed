/** What the save says and keeps when the medium is full, read-only, or pulled out while it is saved to. */
import type { Inputs } from '../../packages/places/test/usb-steps.ts';
import { stickDevice, type Machine } from './machine.ts';

export type Faults = Readonly<Record<string, string>>;

/** @param mount arguments of mount. The disk and the stick hold an empty file system each. */
export const tryFaults = async (machine: Machine, inputs: Inputs, mount: string): Promise<Faults> => {
  const shell = async (command: string): Promise<string> => {
    const { code, output } = await machine.ask({ do: 'shell', command });
    if (code !== 0) throw new Error(`${command}: ${String(output)}`);
    return String(output);
  };
  const ask = async (request: object): Promise<Record<string, string>> =>
    (await machine.ask({ ...request, inputs })) as Record<string, string>;

  await shell(`mount ${mount} /dev/vda /mnt/stick`);
  await ask({ do: 'save', n: 1 });
  await shell('dd if=/dev/zero of=/mnt/stick/fill bs=4096 2>/dev/null; sync');
  const full = await ask({ do: 'save', n: 2 });
  const afterFull = await ask({ do: 'newest' });
  await shell('rm /mnt/stick/fill');
  const withRoom = await ask({ do: 'save', n: 2 });
  await shell('mount -o remount,ro /mnt/stick');
  const readOnly = await ask({ do: 'save', n: 3 });
  const afterReadOnly = await ask({ do: 'newest' });
  await shell('umount /mnt/stick');

  const plugIn = async (): Promise<void> => {
    await machine.control('device_add', stickDevice);
    await shell('n=0; until [ -b /dev/sd? ] || [ $n -gt 300 ]; do sleep 0.1; n=$((n+1)); done');
    await shell(`mount ${mount} /dev/sd? /mnt/stick`);
  };
  await plugIn();
  let unplugged: Promise<void> | undefined;
  const pulled = (await machine.ask({ do: 'saveUntilItFails', inputs }, () => {
    const later = new Promise((resolve) => setTimeout(resolve, 700));
    unplugged = later.then(() => machine.control('device_del', { id: stickDevice.id }));
  })) as { acknowledged: number; outcome: string };
  await unplugged;
  const gone = await ask({ do: 'operations' });
  await shell(
    'umount -l /mnt/stick; n=0; while [ -b /dev/sd? ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done',
  );
  await plugIn();
  const found = await ask({ do: 'newest' });
  const mirrored = await ask({ do: 'newest', mirror: true });
  await shell('umount /mnt/stick');
  await machine.control('device_del', { id: stickDevice.id });
  return {
    'full: save': `${full['outcome']}; newest afterwards ${afterFull['newest']} of 1; with room again ${withRoom['outcome']}`,
    'read-only: save': `${readOnly['outcome']}; newest afterwards ${afterReadOnly['newest']} of 2`,
    'pulled out: save': pulled.outcome,
    'pulled out: flush, list the root': `${gone['sync']}, ${gone['list']}`,
    'pulled out: find, inspect, save again': `${gone['find']}, ${gone['inspect']}, ${gone['save']}`,
    'plugged in again': `newest ${found['newest']} of ${pulled.acknowledged} acknowledged (${found['slots']}); mirrored ${mirrored['newest']} (${mirrored['slots']})`,
  };
};
