/**
 * A disk for a virtual machine, served over NBD, that notes every sector written and every flush in the order in which
 * they came. @spec NBD protocol, fixed newstyle handshake, simple replies
 */
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { sectorBytes, type Image } from '../../packages/places/test/fat/device.ts';
import type { LogEvent } from '../../packages/places/test/fat/recording.ts';

export interface Disk {
  /** What the machine sees. Put another image here only while nothing has the disk open. */
  image: Image;
  /** Where events go; none are kept while it is undefined. */
  log: LogEvent[] | undefined;
  readonly close: () => void;
}

const optionMagic = Buffer.from('IHAVEOPT');
const [optExportName, optAbort, optInfo, optGo] = [1, 2, 6, 7];
const [repAck, repInfo, repUnsupported] = [1, 3, 0x80000001];
/** Has flags, takes flushes. No FUA: the machine then flushes, and a flush is in the log. */
const transmissionFlags = 0b101;
const [read, write, disconnect, flush] = [0, 1, 2, 3];

/** Serves a disk at the path of a Unix socket. */
export const serveDisk = async (path: string, sectors: number): Promise<Disk> => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    talk(socket, disk, sectors).catch(() => socket.destroy());
  });
  const disk: Disk = {
    image: new Map(),
    log: undefined,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  server.listen(path);
  await once(server, 'listening');
  return disk;
};

/** Gives the next bytes of a stream, as many as asked for. */
const takerOf = (socket: Socket): ((length: number) => Promise<Buffer>) => {
  let held: Buffer[] = [];
  let size = 0;
  let wake = (): void => {};
  socket.on('data', (chunk: Buffer) => {
    held.push(chunk);
    size += chunk.length;
    wake();
  });
  const ended = once(socket, 'close').then(() => Promise.reject(new Error('closed')));
  ended.catch(() => {});
  return async (length) => {
    for (;;) {
      if (size >= length) break;
      const more = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await Promise.race([more, ended]);
    }
    const all = Buffer.concat(held);
    held = [all.subarray(length)];
    size -= length;
    return all.subarray(0, length);
  };
};

const talk = async (socket: Socket, disk: Disk, sectors: number): Promise<void> => {
  const take = takerOf(socket);
  const size = Buffer.alloc(8);
  size.writeBigUInt64BE(BigInt(sectors * sectorBytes));
  const exported = Buffer.concat([size, Buffer.of(0, transmissionFlags)]);
  socket.write(Buffer.concat([Buffer.from('NBDMAGIC'), optionMagic, Buffer.of(0, 3)]));
  await take(4);
  for (;;) {
    const head = await take(16);
    const option = head.readUInt32BE(8);
    await take(head.readUInt32BE(12));
    const reply = (type: number, data: Buffer): void => {
      const bytes = Buffer.alloc(20);
      bytes.writeBigUInt64BE(0x3e889045565a9n);
      bytes.writeUInt32BE(option, 8);
      bytes.writeUInt32BE(type, 12);
      bytes.writeUInt32BE(data.length, 16);
      socket.write(Buffer.concat([bytes, data]));
    };
    if (option === optAbort) return void socket.end();
    if (option === optExportName) {
      socket.write(exported);
      break;
    }
    if (option === optGo || option === optInfo) {
      reply(repInfo, Buffer.concat([Buffer.of(0, 0), exported]));
      reply(repAck, Buffer.alloc(0));
      if (option === optGo) break;
    } else reply(repUnsupported, Buffer.alloc(0));
  }
  for (;;) {
    const request = await take(28);
    const type = request.readUInt16BE(6);
    const first = Number(request.readBigUInt64BE(16)) / sectorBytes;
    const length = request.readUInt32BE(24);
    if (type === disconnect) return void socket.end();
    const reply = Buffer.alloc(16);
    reply.writeUInt32BE(0x67446698);
    request.copy(reply, 8, 8, 16);
    if (type === read) {
      const data = Buffer.alloc(length);
      for (let at = 0; at < length; at += sectorBytes)
        data.set(disk.image.get(first + at / sectorBytes) ?? [], at);
      socket.write(Buffer.concat([reply, data]));
      continue;
    }
    if (type === write) {
      const data = Uint8Array.from(await take(length));
      for (let at = 0; at < length; at += sectorBytes) {
        const sector = first + at / sectorBytes;
        const bytes = data.slice(at, at + sectorBytes);
        disk.image.set(sector, bytes);
        disk.log?.push({ kind: 'write', sector, data: bytes });
      }
    } else if (type === flush) disk.log?.push({ kind: 'flush' });
    else reply.writeUInt32BE(22, 4);
    socket.write(reply);
  }
};
