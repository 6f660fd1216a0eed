/**
 * The printed kit as PDF. Two kinds of sheet, to be kept apart: the code sheet holds the identity that opens a share,
 * the share sheets hold the share's ciphertext. Neither does anything alone.
 */
import type Pdf from 'pdfkit';
import { encodeQR } from 'qr';
import { KeepsetError } from '@keepset/bytes';
import { encodeChunks } from './chunks.ts';
import { checkTypedCode } from './typos.ts';

/** Paper sizes. */
export type Paper = 'A4' | 'Letter';

/** What every sheet of a kit says. */
export interface KitFacts {
  readonly paper: Paper;
  /** 26 base32 characters, random; tells this kit from others. */
  readonly kit: string;
  /** UTC instant; printed as its date. */
  readonly createdAt: string;
  readonly epoch: number;
  readonly generation: number;
  /** One sentence: until when the sheet is good. */
  readonly validity: string;
  /** The key's id: its fingerprint. */
  readonly keyId: string;
  /** One sentence: what the sheet opens. Such as `The copy of share "usb" on the stick in the safe.` */
  readonly opens: string;
  /** One sentence: what it cannot do alone. */
  readonly alone: string;
}

/** A code sheet's facts. */
export interface CodeSheet extends KitFacts {
  /** Name of the share file that the code opens, as it lies on the medium or comes from the share sheets. */
  readonly fileName: string;
}

/** A share sheet's facts. */
export interface ShareSheet extends KitFacts {
  readonly shareFile: Uint8Array;
}

/** Lays text out. Lengths are in points (1/72 inch). */
type Doc = InstanceType<typeof Pdf>;

const margin = 50;
const sizes: Readonly<Record<Paper, readonly [number, number]>> = {
  A4: [595.28, 841.89],
  Letter: [612, 792],
};

/**
 * The code sheet: one page with the identity as text and, twice, as QR code, so that a stain over one leaves the other.
 * @throws KeepsetError `input/malformed` if `identity` is no age X25519 identity.
 */
export const renderCodeSheet = async (facts: CodeSheet, identity: string): Promise<Uint8Array> => {
  if (checkTypedCode(identity).status !== 'ok')
    throw new KeepsetError('input/malformed', 'Not an age identity.');
  return render(facts, (doc) => {
    header(doc, facts, 'Recovery code', 1, 1);
    paragraph(doc, `Opens: ${facts.opens}`);
    paragraph(doc, `Alone: ${facts.alone}`);
    paragraph(doc, 'Keep this sheet away from the share it opens. Whoever has both can use the share.');
    const side = 170;
    const top = doc.y + 8;
    drawQr(doc, identity, margin, top, side);
    drawQr(doc, identity, sizes[facts.paper][0] - margin - side, top, side);
    doc.y = top + side + 14;
    codeText(doc, identity);
    recipe(doc, [
      'To open the share without Keepset: type or scan the code into a file code.txt, then run',
      `age -d -i code.txt ${facts.fileName} > share.cbor`,
      '(age: https://age-encryption.org; spaces and line breaks inside the code do not belong to it)',
    ]);
    drills(doc);
  });
};

/**
 * The share sheets: up to six QR codes a page.
 * @throws KeepsetError `wire/too-large` if it would take more than 96 codes.
 */
export const renderShareSheets = async (sheet: ShareSheet): Promise<Uint8Array> => {
  const chunks = encodeChunks(sheet.kit, sheet.shareFile);
  const perPage = 6;
  const pages = Math.ceil(chunks.length / perPage);
  return render(sheet, (doc) => {
    for (let page = 0; page < pages; page++) {
      if (page > 0) doc.addPage();
      header(doc, sheet, 'Share, encrypted', page + 1, pages);
      paragraph(doc, `Holds: ${sheet.opens}`);
      paragraph(doc, `Alone: ${sheet.alone} Keep the recovery code elsewhere.`);
      const side = 180;
      const top = doc.y + 4;
      backToFile(doc, margin + side + 10, top, sizes[sheet.paper][0] - 2 * (margin + side + 10));
      chunks.slice(page * perPage, (page + 1) * perPage).forEach((text, i) => {
        const x = i % 2 === 0 ? margin : sizes[sheet.paper][0] - margin - side;
        const y = top + Math.floor(i / 2) * (side + 16);
        drawQr(doc, text, x, y, side);
        doc.font('Helvetica').fontSize(8);
        doc.text(`code ${page * perPage + i + 1} of ${chunks.length}`, x, y + side + 2, { width: side });
      });
    }
  });
};

const render = async (facts: KitFacts, draw: (doc: Doc) => void): Promise<Uint8Array> => {
  const date = new Date(facts.createdAt);
  if (Number.isNaN(date.getTime())) throw new KeepsetError('input/invalid-argument', 'Not a date.');
  // Loaded when something is printed: it takes longer than everything else here together.
  const { default: Document } = await import('pdfkit');
  const doc = new Document({
    size: [...sizes[facts.paper]],
    margin,
    info: { Title: `Keepset kit ${facts.kit}`, CreationDate: date, ModDate: date },
  });
  const parts: Uint8Array[] = [];
  const finished = new Promise<void>((resolve, reject) => {
    doc.on('data', (part: Uint8Array) => parts.push(part));
    doc.on('end', resolve);
    doc.on('error', reject);
  });
  draw(doc);
  doc.end();
  await finished;
  const pdf = Uint8Array.from(Buffer.concat(parts));
  for (const part of parts) part.fill(0);
  return pdf;
};

const header = (doc: Doc, facts: KitFacts, title: string, page: number, pages: number): void => {
  doc.font('Helvetica-Bold').fontSize(18).text(`Keepset: ${title}`, margin, margin);
  doc.font('Helvetica').fontSize(9).moveDown(0.3);
  for (const line of [
    `Kit ${facts.kit}   page ${page}/${pages}   format 1   ${facts.createdAt.slice(0, 10)}`,
    `Epoch ${facts.epoch}, generation ${facts.generation}. ${facts.validity}`,
    `Key fingerprint ${facts.keyId}`,
  ])
    doc.text(line);
  doc.moveDown(0.6);
};

const paragraph = (doc: Doc, text: string): void => {
  doc.font('Helvetica').fontSize(10).text(text, margin).moveDown(0.4);
};

/** Groups of four with a running number, so that a typing error can be named by its place. */
const codeText = (doc: Doc, identity: string): void => {
  const [prefix, body] = [identity.slice(0, 16), identity.slice(16)];
  const groups = body.match(/.{1,4}/g) ?? [];
  doc.font('Courier-Bold').fontSize(13).text(prefix, margin, doc.y);
  for (let row = 0; row < groups.length; row += 5) {
    doc
      .font('Courier')
      .fontSize(7)
      .text(String(row * 4 + 1).padStart(2), margin, doc.y + 3, { continued: true });
    doc
      .font('Courier-Bold')
      .fontSize(13)
      .text(`  ${groups.slice(row, row + 5).join(' ')}`);
  }
  doc.moveDown(0.6);
};

const recipe = (doc: Doc, [before, command, after]: readonly [string, string, string]): void => {
  doc.font('Helvetica').fontSize(9).text(before, margin);
  doc.font('Courier').text(command);
  doc.font('Helvetica').text(after).moveDown(0.8);
};

/** How the codes become the file again, between the two columns of codes. Each page may be all that is left. */
const backToFile = (doc: Doc, x: number, y: number, width: number): void => {
  const say = (text: string): Doc => doc.font('Helvetica').fontSize(8).text(text, { width });
  // Lines that fit: one broken after a hyphen would be another command.
  const type = (...lines: readonly string[]): void => {
    doc.font('Courier').fontSize(7);
    for (const line of lines) doc.text(line, { width });
    doc.moveDown(0.4);
  };
  doc.y = y;
  doc.x = x;
  say('To get the file back, scan all share sheets as PNG pictures, then run').moveDown(0.4);
  type('keepset kit read *.png \\', '  --code - --out share.age');
  say('Without Keepset: each code is the text').moveDown(0.4);
  type('KEEPSET1:kit:i:k:size:', '  check:piece');
  say('For i from 1 to k, in order, decode the piece:').moveDown(0.4);
  type('echo PIECE====== |', '  base32 -d >> all');
  say('then cut what was joined to its size:').moveDown(0.4);
  type('head -c SIZE all >', '  share.age');
  say('Codes beyond k mend others that cannot be read; for these it takes Keepset.');
  doc.x = margin;
};

const drills = (doc: Doc): void => {
  doc.font('Helvetica').fontSize(9).text('Drills (keepset drill), date and initials:', margin).moveDown(0.3);
  const top = doc.y;
  for (let i = 0; i < 6; i++) doc.rect(margin + i * 82, top, 76, 26).stroke();
};

/** Vector squares, with the quiet zone the standard asks for inside `side`. Error correction H: 30 % of the codewords. */
const drawQr = (doc: Doc, text: string, x: number, y: number, side: number): void => {
  const modules = encodeQR(text, 'raw', { ecc: 'high', border: 4 });
  const unit = side / modules.length;
  modules.forEach((row, r) => {
    row.forEach((dark, c) => {
      if (dark) doc.rect(x + c * unit, y + r * unit, unit, unit);
    });
  });
  doc.fill('black');
};
