/**
 * A virtual machine that runs a Debian kernel and, from the host's own disk (read-only), Node and a program of this
 * repository. It needs qemu-system-x86_64 and busybox (Debian: qemu-system-x86, busybox-static); the kernel is
 * downloaded with apt-get and not installed. Emulated, not accelerated: slow, and the same everywhere.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';

const modules = [
  'virtio_pci virtio_blk virtio_console 9pnet_virtio 9p',
  'vfat exfat nls_ascii nls_cp437 nls_iso8859_1 nls_utf8',
  'xhci_pci usb_storage sd_mod crct10dif_generic',
].flatMap((names) => names.split(' '));

/** A kernel on disk. */
interface Kernel {
  readonly image: string;
  /** `6.1.0-56-amd64` */
  readonly release: string;
  readonly modules: ReadonlyMap<string, string>;
}

/** Says what is missing and ends the process. */
export const needTools = (): void => {
  const missing = ['qemu-system-x86_64', 'busybox', 'mkfs.fat', 'mkfs.exfat'].filter(
    (name) => spawnSync('which', [name], { stdio: 'ignore' }).status !== 0,
  );
  if (missing.length === 0) return;
  process.stderr.write(
    `Please install ${missing.join(', ')} (Debian: qemu-system-x86 busybox-static dosfstools exfatprogs).\n`,
  );
  process.exit(1);
};

/** Downloads and unpacks Debian's kernel for the machine into the folder, unless it lies there. */
export const fetchKernel = (folder: string): Kernel => {
  if (!existsSync(join(folder, 'boot'))) {
    mkdirSync(folder, { recursive: true });
    const name = /linux-image-\d\S*/.exec(
      execFileSync('apt-cache', ['depends', 'linux-image-amd64'], { encoding: 'utf8' }),
    )?.[0];
    if (name === undefined)
      throw new Error('No package linux-image-amd64: is this Debian, after apt-get update?');
    execFileSync('apt-get', ['download', '-qq', name], { cwd: folder, stdio: ['ignore', 2, 2] });
    for (const file of readdirSync(folder).filter((each) => each.endsWith('.deb')))
      execFileSync('dpkg-deb', ['-x', join(folder, file), folder]);
  }
  const image = readdirSync(join(folder, 'boot')).find((name) => name.startsWith('vmlinuz-'))!;
  const release = image.slice('vmlinuz-'.length);
  const tree = join(folder, 'lib', 'modules', release, 'kernel');
  const found = readdirSync(tree, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ko'))
    .map((path) => [moduleName(basename(path, '.ko')), join(tree, path)] as const);
  return { image: join(folder, 'boot', image), release, modules: new Map(found) };
};

const moduleName = (name: string): string => name.replaceAll('-', '_');

/** Files of the modules, each after those it depends on. */
const inOrder = (kernel: Kernel): string[] => {
  const order: string[] = [];
  const add = (name: string): void => {
    const path = kernel.modules.get(name);
    if (path === undefined || order.includes(path)) return;
    const depends = /\0depends=([^\0]*)\0/.exec(readFileSync(path, 'latin1'))?.[1] ?? '';
    for (const each of depends.split(',')) add(moduleName(each));
    order.push(path);
  };
  for (const name of modules) add(name);
  return order;
};

const initScript = (kernel: Kernel, node: string, program: string): string => `#!/busybox sh
/busybox mkdir -p /proc /sys /dev /host
/busybox mount -t proc proc /proc
/busybox mount -t devtmpfs dev /dev
${inOrder(kernel)
  .map((path) => `/busybox insmod /${basename(path)}`)
  .join('\n')}
/busybox mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose host /host
/busybox mount --bind /dev /host/dev
/busybox mount -t proc proc /host/proc
/busybox mount -t sysfs sys /host/sys
/busybox mount -t tmpfs tmp /host/mnt
/busybox cp /busybox /host/mnt/busybox
/busybox mkdir /host/mnt/stick
/busybox chroot /host '${node}' '${program}'
/busybox poweroff -f
`;

/** A cpio archive. @spec Linux, Documentation/driver-api/early-userspace/buffer-format */
const archive = (files: readonly (readonly [name: string, mode: number, data: Uint8Array])[]): Uint8Array => {
  const padding = (length: number): Uint8Array => new Uint8Array((4 - (length % 4)) % 4);
  return Buffer.concat(
    [...files, ['TRAILER!!!', 0, new Uint8Array(0)] as const].flatMap(([name, mode, data], i) => {
      const fields = [i, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
      const numbers = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
      const head = Buffer.from(`070701${numbers}${name}\0`);
      return [head, padding(head.length), data, padding(data.length)];
    }),
  );
};

/** The program in the machine. It gets lines of JSON and answers each with one. */
export interface Machine {
  /** @param onMark what the program reports before it answers; it waits until that was noted. */
  readonly ask: (request: object, onMark?: (text: string) => void) => Promise<Record<string, unknown>>;
  /** A command to QEMU itself. */
  readonly control: (execute: string, args: object) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface MachineOptions {
  readonly kernel: Kernel;
  readonly node: string;
  readonly program: string;
  /** For sockets and the console's text. */
  readonly folder: string;
  /** Sockets of NBD servers: the virtio disk /dev/vda, and the stick that {@link stickDevice} plugs in. */
  readonly disk: string;
  readonly stick: string;
}

/** Arguments of QEMU's device_add for the USB stick. */
export const stickDevice = { driver: 'usb-storage', id: 'stick', drive: 'usb', bus: 'xhci.0' };

export const startMachine = async (options: MachineOptions): Promise<Machine> => {
  const { kernel, folder } = options;
  const initrd = join(folder, 'initrd');
  const busybox = execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim();
  writeFileSync(
    initrd,
    archive([
      ['init', 0o100755, Buffer.from(initScript(kernel, options.node, options.program))],
      ['busybox', 0o100755, readFileSync(busybox)],
      ...inOrder(kernel).map((path) => [basename(path), 0o100644, readFileSync(path)] as const),
    ]),
  );
  const channelPath = join(folder, 'channel');
  const controlPath = join(folder, 'control');
  const server = createServer();
  server.listen(channelPath);
  await once(server, 'listening');
  const nbd = (name: string, path: string): readonly string[] => [
    '-blockdev',
    `driver=nbd,node-name=${name},server.type=unix,server.path=${path}`,
  ];
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '1024', '-nodefaults', '-no-reboot'],
      ['-display', 'none', '-serial', `file:${join(folder, 'console')}`],
      ['-kernel', kernel.image, '-initrd', initrd, '-append', 'console=ttyS0 panic=-1 quiet'],
      ['-virtfs', 'local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap'],
      nbd('disk', options.disk),
      // Each of the guest's requests is written as it came.
      ['-device', 'virtio-blk-pci,drive=disk,request-merging=off'],
      nbd('usb', options.stick),
      ['-device', 'qemu-xhci,id=xhci'],
      ['-device', 'virtio-serial-pci', '-chardev', `socket,id=channel,path=${channelPath}`],
      ['-device', 'virtserialport,chardev=channel'],
      ['-qmp', `unix:${controlPath},server=on,wait=off`],
    ].flat(),
    { stdio: ['ignore', 2, 2] },
  );
  const ended = once(qemu, 'exit').then((): void => {});
  const stopped = async (): Promise<never> => {
    await ended;
    throw new Error(`The machine stopped.\n${readFileSync(join(folder, 'console'), 'utf8').slice(-2000)}`);
  };
  const gone = stopped();
  gone.catch(() => {});
  const [socket] = (await Promise.race([once(server, 'connection'), gone])) as [Socket];
  server.close();
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<Record<string, unknown>> => {
    const line = await Promise.race([lines.next(), gone]);
    if (line.done === true) return gone;
    return JSON.parse(line.value) as Record<string, unknown>;
  };
  await nextLine();
  return {
    ask: async (request, onMark) => {
      socket.write(`${JSON.stringify(request)}\n`);
      for (;;) {
        const answer = await nextLine();
        if (typeof answer['mark'] !== 'string') return answer;
        onMark?.(answer['mark']);
        socket.write('{}\n');
      }
    },
    control: (execute, args) => controlQemu(controlPath, execute, args),
    stop: async () => {
      await controlQemu(controlPath, 'quit', {});
      await ended;
    },
  };
};

const controlQemu = async (path: string, execute: string, args: object): Promise<void> => {
  const socket = createConnection(path);
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const answer = async (): Promise<void> => {
    for (;;) {
      const line = await lines.next();
      if (line.done === true) throw new Error('QEMU closed its control socket.');
      const message = JSON.parse(line.value) as { return?: object; error?: object; QMP?: object };
      if (message.error !== undefined) throw new Error(JSON.stringify(message.error));
      if (message.return !== undefined || message.QMP !== undefined) return;
    }
  };
  await answer();
  for (const command of [{ execute: 'qmp_capabilities' }, { execute, arguments: args }]) {
    socket.write(`${JSON.stringify(command)}\n`);
    await answer();
  }
  socket.destroy();
};
