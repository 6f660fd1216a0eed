import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesEqual } from '@keepset/bytes';
import { openShareFile } from '@keepset/wire';
import {
  assembleChunks,
  checkTypedCode,
  encodeChunks,
  newKitId,
  renderCodeSheet,
  renderShareSheets,
  scanCodes,
  type CodeSheet,
  type Paper,
  type Picture,
} from '../src/index.ts';
import { codeOf } from './contract.ts';
import { makeWriter, type Writer } from './shares.ts';

const folder = mkdtempSync(join(tmpdir(), 'keepset-kit-'));
afterAll(() => rmSync(folder, { recursive: true }));

let writer: Writer;
let shareFile: Uint8Array;
beforeAll(async () => {
  writer = await makeWriter();
  shareFile = await writer.write(4);
});

const kit = newKitId();
const factsFor = (paper: Paper): CodeSheet => ({
  paper,
  kit,
  createdAt: '2026-11-22T08:00:00Z',
  epoch: 2,
  generation: 4,
  validity: 'Void if a newer epoch exists.',
  fileName: 'share_party3.enc',
  keyId: writer.share.group.keyId,
  opens: 'The copy of the share "usb" on the stick in the safe.',
  alone: 'This sheet cannot sign and opens nothing by itself.',
});

const run = (command: string, ...args: string[]): Buffer => {
  try {
    return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new Error(`${command} is missing: install the Debian package poppler-utils`, { cause: error });
    throw error;
  }
};

let printed = 0;
const print = (pdf: Uint8Array): string => {
  const path = join(folder, `${(printed += 1)}.pdf`);
  writeFileSync(path, pdf);
  return path;
};

/** The pages as pictures, as a scanner at `dpi` would see them. */
const rasterise = (pdf: Uint8Array, dpi = 200): Picture[] => {
  const path = print(pdf);
  run('pdftoppm', '-r', String(dpi), path, `${path}-page`);
  return readdirSync(folder)
    .filter((file) => file.startsWith(`${printed}.pdf-page`))
    .toSorted()
    .map((file) => parsePpm(readFileSync(join(folder, file))));
};

const parsePpm = (file: Buffer): Picture => {
  const [header, , width, height] = /^P6\s(#.*\s)?(\d+) (\d+)\s255\s/.exec(
    file.subarray(0, 100).toString('latin1'),
  )!;
  return {
    width: Number(width),
    height: Number(height),
    data: Uint8Array.from(file.subarray(header.length)),
  };
};

/** A round stain in the page's colour or in ink. */
const stain = (page: Picture, x: number, y: number, radius: number, shade: number): Picture => {
  const data = Uint8Array.from(page.data);
  for (let row = Math.max(0, y - radius); row < Math.min(page.height, y + radius); row++)
    for (let column = Math.max(0, x - radius); column < Math.min(page.width, x + radius); column++)
      if ((row - y) ** 2 + (column - x) ** 2 < radius ** 2)
        data.fill(shade, (row * page.width + column) * 3, (row * page.width + column) * 3 + 3);
  return { ...page, data };
};

describe.each(['A4', 'Letter'] as const)('the code sheet on %s', (paper) => {
  it('gives the identity back from the picture, and that opens the share', async () => {
    const pages = rasterise(await renderCodeSheet(factsFor(paper), writer.key));
    expect(pages).toHaveLength(1);
    const codes = await scanCodes(pages);
    expect(codes).toEqual([writer.key, writer.key]);
    expect((await openShareFile(shareFile, [codes[0]!])).share.party).toBe('phone');
  });

  it('says what one must know, in text', async () => {
    const path = print(await renderCodeSheet(factsFor(paper), writer.key));
    const text = run('pdftotext', '-layout', path, '-').toString();
    for (const part of [
      `Kit ${kit}`,
      'page 1/1',
      'format 1',
      '2026-11-22',
      'Epoch 2, generation 4. Void if a newer epoch exists.',
      writer.share.group.keyId,
      'The copy of the share "usb" on the stick in the safe.',
      'cannot sign and opens nothing by itself',
      'age -d -i code.txt share_party3.enc',
      'Drills',
    ])
      expect(text).toContain(part);
    const rows = text.matchAll(/^ *((?:[A-Z0-9]{4} )+[A-Z0-9]{2,4})$/gm);
    const typed = `AGE-SECRET-KEY-1 ${[...rows].map(([, groups]) => groups).join(' ')}`;
    expect(checkTypedCode(typed)).toEqual({ status: 'ok', identity: writer.key });
  });

  it('fits on one page', async () => {
    const info = run('pdfinfo', print(await renderCodeSheet(factsFor(paper), writer.key))).toString();
    expect(info).toMatch(/Pages:\s+1\n/);
    expect(info).toMatch(paper === 'A4' ? /A4/ : /612 x 792|letter/);
  });
});

describe('stains', () => {
  it('of 8 % of a code are survived wherever they fall', async () => {
    const [page] = rasterise(await renderCodeSheet(factsFor('A4'), writer.key), 150) as [Picture];
    const side = (170 / 72) * 150;
    const radius = Math.round(Math.sqrt((0.08 * side * side) / Math.PI));
    const left = (50 / 72) * 150;
    const top = topOfInk(page, Math.round(left + side / 2));
    let survived = 0;
    let alone = 0;
    for (let n = 0; n < 25; n++) {
      const [row, column] = [Math.floor(n / 5), n % 5];
      const stained = stain(
        page,
        Math.round(left + (side * column) / 4),
        Math.round(top + (side * row) / 4),
        radius,
        n % 2 === 0 ? 0 : 255,
      );
      const codes = await scanCodes([stained]);
      expect(codes, `stain ${n}`).toContain(writer.key);
      expect(codes.every((code) => code === writer.key)).toBe(true);
      survived += 1;
      if (codes.length === 2) alone += 1;
    }
    expect(survived).toBe(25);
    // Even the stained code itself is read more often than not; over a corner mark it cannot be found.
    expect(alone).toBeGreaterThan(12);
  });

  /** First dark row of the QR code in a column: its upper edge. */
  const topOfInk = (page: Picture, column: number): number => {
    for (let row = Math.round((page.height * 2) / 11); row < page.height; row++)
      if (page.data[(row * page.width + column) * 3]! < 128) return row;
    throw new Error('no ink');
  };
});

describe('the share sheets', () => {
  it('give the share back from the pictures, in any order of pages', async () => {
    for (const paper of ['A4', 'Letter'] as const) {
      const pages = rasterise(await renderShareSheets({ ...factsFor(paper), shareFile }));
      const codes = await scanCodes(pages.toReversed());
      const scan = assembleChunks(codes);
      expect(scan.status).toBe('done');
      if (scan.status !== 'done') return;
      expect(scan.assembled.kit).toBe(kit);
      expect(bytesEqual(scan.assembled.file, shareFile)).toBe(true);
    }
  });

  it.each(['A4', 'Letter'] as const)('on %s say how to go without Keepset, and so it goes', async (paper) => {
    const pdf = await renderShareSheets({ ...factsFor(paper), shareFile });
    const text = run('pdftotext', print(pdf), '-').toString().replaceAll(/\s+/g, ' ');
    for (const part of [
      'keepset kit read *.png \\ --code - --out share.age',
      'KEEPSET1:kit:i:k:size: check:piece',
      'echo PIECE====== | base32 -d >> all',
      'head -c SIZE all > share.age',
    ])
      expect(text).toContain(part);
    const codes = (await scanCodes(rasterise(pdf))).map((code) => code.split(':'));
    const ordered = codes.toSorted((a, b) => Number(a[2]) - Number(b[2])).slice(0, Number(codes[0]![3]));
    const all = ordered.map((fields) => `echo ${fields[6]}====== | base32 -d`).join('; ');
    expect(run('sh', '-c', `(${all}) | head -c ${ordered[0]![4]}`)).toEqual(Buffer.from(shareFile));
  });

  it('give it back with one code in five under a stain', async () => {
    const [page] = rasterise(await renderShareSheets({ ...factsFor('A4'), shareFile })) as [Picture];
    const clean = await scanCodes([page]);
    const stained = await scanCodes([stain(page, 300, 700, 200, 60)]);
    expect(stained.length).toBeLessThan(clean.length);
    expect(assembleChunks(stained).status).toBe('done');
  });

  it('need five codes and a spare each four for a share of 1,500 bytes and print on three pages at most', async () => {
    expect(encodeChunks(kit, new Uint8Array(1500)).length).toBe(8);
    const info = run(
      'pdfinfo',
      print(await renderShareSheets({ ...factsFor('A4'), shareFile: new Uint8Array(1500) })),
    );
    expect(info.toString()).toMatch(/Pages:\s+2\n/);
  });
});

describe('scanned codes', () => {
  const contentArbitrary = fc.uint8Array({ minLength: 1, maxLength: 3000 });

  it('make the share with any as many of them as there are pieces', () => {
    fc.assert(
      fc.property(contentArbitrary, fc.infiniteStream(fc.nat()), (content, chance) => {
        const codes = encodeChunks(kit, content);
        const need = Math.ceil(content.length / 256);
        const left = [...codes];
        while (left.length > need) left.splice(Number(chance.next().value) % left.length, 1);
        left.sort(() => (Number(chance.next().value) % 2) - 0.5);
        const scan = assembleChunks(['unrelated', ...left, ...left]);
        expect(scan).toEqual({ status: 'done', assembled: { kit, file: content } });
        if (need > 1) expect(assembleChunks(left.slice(1))).toEqual({ status: 'more', have: need - 1, need });
      }),
      { numRuns: 60 },
    );
  });

  it('of different prints, or altered ones, are refused', async () => {
    const codeFor = (codes: readonly string[]): Promise<string> =>
      codeOf((async () => assembleChunks(codes))());
    const codes = encodeChunks(kit, shareFile);
    const other = encodeChunks(newKitId(), shareFile);
    expect(await codeFor([codes[0]!, other[1]!])).toBe('place/foreign');
    const last = codes[0]!.replace(/.{4}$/, 'AAAA');
    expect(['place/damaged', 'input/malformed']).toContain(await codeFor([last, ...codes.slice(1)]));
    expect(assembleChunks([])).toEqual({ status: 'more', have: 0, need: 1 });
    expect(assembleChunks(['KEEPSET1:', 'hello'])).toEqual({ status: 'more', have: 0, need: 1 });
    expect(await codeFor([codes[0]!.replace(/:\d+:(\d+):(\d+):/, ':999:$1:$2:')])).toBe('no error');
  });

  it('of a share that is too large to print are not made', async () => {
    expect(await codeOf(renderShareSheets({ ...factsFor('A4'), shareFile: new Uint8Array(30_000) }))).toBe(
      'wire/too-large',
    );
  });
});

it('prints no code that is none, and no date that is none', async () => {
  expect(await codeOf(renderCodeSheet(factsFor('A4'), 'AGE-SECRET-KEY-1OOPS'))).toBe('input/malformed');
  expect(await codeOf(renderCodeSheet({ ...factsFor('A4'), createdAt: 'today' }, writer.key))).toBe(
    'input/invalid-argument',
  );
});
