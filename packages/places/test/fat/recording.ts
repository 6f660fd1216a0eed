/** What a driver wrote to a medium and when it flushed, stored compactly, and the moments at which power may fail. */
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { blockDevice, sectorBytes, type Image, type Moment } from './device.ts';

/** One sector written, everything written so far flushed, or a word from the program that saves. */
export type LogEvent =
  | { readonly kind: 'write'; readonly sector: number; readonly data: Uint8Array }
  | { readonly kind: 'flush' }
  | { readonly kind: 'mark'; readonly text: string };

export interface Recording {
  /** The medium when the log begins, all of it flushed. */
  readonly start: Image;
  readonly events: readonly LogEvent[];
}

/** A line of JSON (sector numbers of the start; then a number per write, `null` per flush, text per mark), then sectors. */
export const encodeRecording = ({ start, events }: Recording): Uint8Array => {
  const sorted = [...start].sort(([a], [b]) => a - b);
  const index = events.map((event) =>
    event.kind === 'write' ? event.sector : event.kind === 'mark' ? event.text : null,
  );
  const head = JSON.stringify({ start: sorted.map(([sector]) => sector), events: index });
  const sectors = [
    ...sorted.map(([, data]) => data),
    ...events.flatMap((event) => (event.kind === 'write' ? [event.data] : [])),
  ];
  return brotliCompressSync(Buffer.concat([Buffer.from(`${head}\n`), ...sectors]), {
    params: { [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
};

export const decodeRecording = (bytes: Uint8Array): Recording => {
  const all = brotliDecompressSync(bytes);
  const end = all.indexOf(10);
  const head = JSON.parse(all.subarray(0, end).toString()) as {
    start: number[];
    events: (number | string | null)[];
  };
  let at = end + 1;
  const next = (): Uint8Array => Uint8Array.from(all.subarray(at, (at += sectorBytes)));
  const start = new Map(head.start.map((sector) => [sector, next()]));
  const events = head.events.map((event): LogEvent => {
    if (event === null) return { kind: 'flush' };
    if (typeof event === 'string') return { kind: 'mark', text: event };
    return { kind: 'write', sector: event, data: next() };
  });
  return { start, events };
};

/** A moment at which the power may fail, and the marks set before it. */
export interface MarkedMoment extends Moment {
  readonly marks: readonly string[];
}

/** The moments before and after each write, flush and mark. */
export const momentsOf = ({ start, events }: Recording): MarkedMoment[] => {
  const device = blockDevice(start);
  const recorded = device.record();
  const moments: MarkedMoment[] = [];
  let marks: readonly string[] = [];
  const note = (): void => void moments.push({ ...recorded.at(-1)!, marks });
  note();
  for (const event of events) {
    if (event.kind === 'write') device.write(event.sector, event.data);
    else if (event.kind === 'flush') device.sync(() => true);
    else marks = [...marks, event.text];
    note();
  }
  return moments;
};
