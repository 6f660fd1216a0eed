/** What runs in the virtual machine: mounts, saves with the real save code, and reads what lies on a medium. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { openSync, readFileSync, readdirSync, statSync, writeSync, createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { KeepsetError } from '@keepset/bytes';
import { nodeFileSystem } from '../../packages/places/src/fs/node.ts';
import { inspectContainer } from '../../packages/places/src/usb/inspect.ts';
import { findContainer } from '../../packages/places/src/usb/layout.ts';
import { createContainer, mirrorCopy, newestOf, saveCopy } from '../../packages/places/src/usb/write.ts';
import {
  containerOf,
  recordOperations,
  runSteps,
  signerFrom,
  type Inputs,
} from '../../packages/places/test/usb-steps.ts';

const root = '/mnt/stick';
const port = `/dev/${readdirSync('/dev').find((name) => name.startsWith('vport'))!}`;

const channel = openSync(port, 'r+');
const lines = createInterface({ input: createReadStream(port, { fd: channel }) })[Symbol.asyncIterator]();
const nextLine = async (): Promise<Record<string, unknown>> => {
  const line = await lines.next();
  return JSON.parse(String(line.value)) as Record<string, unknown>;
};
const say = (message: object): void => {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let at = 0; at < bytes.length;) at += writeSync(channel, bytes, at);
};
const mark = async (text: string): Promise<void> => {
  say({ mark: text });
  await nextLine();
};

const shell = (command: string): { code: number | null; output: string } => {
  const { status, stdout, stderr } = spawnSync('/mnt/busybox', ['sh', '-c', command], { encoding: 'utf8' });
  return { code: status, output: `${stdout}${stderr}`.trim() };
};

const sent = new Set<string>();
/** Hashes of all files, or the error that reading one gave; contents that were not sent before. */
const readAll = (): { files: Record<string, string>; contents: Record<string, string> } => {
  const files: Record<string, string> = {};
  const contents: Record<string, string> = {};
  const visit = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      try {
        if (statSync(path).isDirectory()) {
          visit(path);
          continue;
        }
        const bytes = readFileSync(path);
        const hash = createHash('sha256').update(bytes).digest('hex');
        files[path.slice(root.length)] = hash;
        if (!sent.has(hash)) contents[hash] = bytes.toString('base64');
        sent.add(hash);
      } catch (error) {
        files[path.slice(root.length)] = (error as NodeJS.ErrnoException).code ?? String(error);
      }
    }
  };
  try {
    visit(root);
  } catch (error) {
    files['/'] = (error as NodeJS.ErrnoException).code ?? String(error);
  }
  return { files, contents };
};

const head = 'age-encryption.org/v1\ncopy ';
/** A copy with a number, of about the size of a share file. */
const numbered = (n: number): Uint8Array => Buffer.from(`${head}${n}\n${'x'.repeat(900)}`);

/** `done`, or the code of the error and what the system said. */
const outcomeOf = async (work: () => Promise<unknown>): Promise<string> => {
  try {
    await work();
    return 'done';
  } catch (error) {
    if (!(error instanceof KeepsetError)) throw error;
    return `${error.code} (${(error.cause as NodeJS.ErrnoException | undefined)?.code ?? 'no cause'})`;
  }
};

/** Makes a container with copy 1, or saves the numbered copy to it. */
const save = async (inputs: Inputs, n: number): Promise<void> => {
  const container = containerOf(nodeFileSystem, root, inputs, 'share');
  const signer = await signerFrom(inputs);
  if (n === 1) await createContainer(container, numbered(n), signer);
  else await saveCopy(await inspectContainer(container), numbered(n), signer);
};

const answers: Record<string, (request: Record<string, unknown>) => Promise<object> | object> = {
  shell: ({ command }) => shell(String(command)),
  steps: async ({ inputs }) => {
    const { files, operations } = recordOperations(root, nodeFileSystem);
    await runSteps(files, root, inputs as Inputs, mark);
    return { operations };
  },
  save: async ({ inputs, n }) => ({ outcome: await outcomeOf(() => save(inputs as Inputs, Number(n))) }),
  saveUntilItFails: async ({ inputs }) => {
    let acknowledged = 0;
    for (;;) {
      const outcome = await outcomeOf(() => save(inputs as Inputs, acknowledged + 1));
      if (outcome !== 'done') return { acknowledged, outcome };
      acknowledged += 1;
      if (acknowledged === 2) await mark('saving');
    }
  },
  operations: async ({ inputs }) => {
    const container = containerOf(nodeFileSystem, root, inputs as Inputs, 'share');
    return {
      sync: await outcomeOf(() => nodeFileSystem.syncFolder(root)),
      find: await outcomeOf(() => findContainer(nodeFileSystem, root)),
      list: await outcomeOf(() => nodeFileSystem.names(root)),
      inspect: await outcomeOf(() => inspectContainer(container)),
      save: await outcomeOf(() => save(inputs as Inputs, 2)),
    };
  },
  newest: async ({ inputs, mirror }) => {
    let report = await inspectContainer(containerOf(nodeFileSystem, root, inputs as Inputs, 'share'));
    if (mirror === true) report = await mirrorCopy(report, await signerFrom(inputs as Inputs));
    const newest = Buffer.from(newestOf(report)?.bytes ?? []).toString('latin1');
    return {
      newest: Number(newest.split('\n')[1]?.slice('copy '.length) ?? 0),
      slots: `${report.slots.enc.content} ${report.slots.bak.content}`,
    };
  },
  look: ({ mount }) => {
    const { code, output } = shell(`umount ${root} 2>/dev/null; ${String(mount)}`);
    return code === 0 ? readAll() : { files: { '/': `not mounted: ${output}` }, contents: {} };
  },
};

say({ ready: true });
for (;;) {
  const request = await nextLine();
  try {
    say((await answers[String(request['do'])]?.(request)) ?? { error: 'no such request' });
  } catch (error) {
    say({ error: String(error instanceof Error ? error.stack : error) });
  }
}
