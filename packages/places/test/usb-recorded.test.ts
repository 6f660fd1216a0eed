/**
 * Power cuts over saves that went through Linux's own FAT32 and exFAT drivers. What the drivers wrote and when they
 * flushed was recorded by benchmarks/usb-power-cuts.ts, which also reads the images back with the drivers.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { FileSystem } from '../src/index.ts';
import { chanceFrom, imagesAt, readOnlyDevice, type Device } from './fat/device.ts';
import { mountExfat } from './fat/exfat.ts';
import { mountFat32 } from './fat/fat32.ts';
import { decodeRecording, momentsOf } from './fat/recording.ts';
import { recordOperations, runSteps, type Inputs, type Subject } from './usb-steps.ts';
import { dueAfter, holds, judgeFor, snapshotOf } from './usb-verdict.ts';

const vectors = new URL('../../../vectors/usb/', import.meta.url);
const { inputs, operations } = JSON.parse(readFileSync(new URL('recorded.json', vectors), 'utf8')) as {
  inputs: Inputs;
  operations: string[];
};
const judge = judgeFor(inputs);

const readers: readonly (readonly [name: string, mount: (device: Device) => FileSystem])[] = [
  ['fat32-usual', mountFat32],
  ['fat32-eager', mountFat32],
  ['exfat-usual', mountExfat],
  ['exfat-eager', mountExfat],
];

describe.each(readers)('saves through Linux on %s', (name, mount) => {
  it('survive a power cut at every write, whatever was not flushed; the textbook save does not', async () => {
    const moments = momentsOf(decodeRecording(readFileSync(new URL(`${name}.log.br`, vectors))));
    const chances = [chanceFrom(1)];
    let cuts = 0;
    let lostByTextbook = 0;
    for (const [n, moment] of moments.entries()) {
      const dues = (['share', 'large', 'textbook'] as const)
        .map((subject: Subject) => ({ subject, due: dueAfter(moment.marks, subject) }))
        .filter(({ due }) => due.acknowledged > 0);
      if (dues.length === 0) continue;
      cuts += 1;
      for (const image of imagesAt(moment, chances)) {
        const snapshot = await snapshotOf(mount(readOnlyDevice(image)), inputs);
        for (const { subject, due } of dues) {
          const verdict = await judge(snapshot, subject);
          if (holds(verdict, due)) continue;
          if (subject === 'textbook') lostByTextbook += 1;
          else expect({ subject, n, ...verdict }).toEqual(due);
        }
      }
    }
    expect(cuts).toBeGreaterThanOrEqual(200);
    expect(lostByTextbook).toBeGreaterThan(0);
  });
});

describe('the recording', () => {
  const root = mkdtempSync(join(tmpdir(), 'keepset-recorded-'));
  afterAll(() => rmSync(root, { recursive: true }));

  it('is of the save code as it is: else record again, npm run bench -- usb-power-cuts --write', async () => {
    const now = recordOperations(root);
    await runSteps(now.files, root, inputs, async () => {});
    expect(now.operations).toEqual(operations);
  });
});
