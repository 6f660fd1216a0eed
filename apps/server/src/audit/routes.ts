import type { FastifyInstance } from 'fastify';
import { KeepsetError } from '@keepset/bytes';
import { TILE_WIDTH, parseTilePath, printEntryBundle, readTile, tileAt, type Tile } from '@keepset/log';
import type { LogStore } from '../store/log.ts';

const text = 'text/plain; charset=utf-8';
const binary = 'application/octet-stream';
const oneYear = 'public, max-age=31536000, immutable';

/**
 * The log as static resources anyone may read: it holds only salted commitments.
 * @spec C2SP tlog-tiles
 */
export const registerAuditRoutes = (app: FastifyInstance, log: LogStore): void => {
  app.get(
    '/v1/log/checkpoint',
    { schema: { summary: 'The newest signed checkpoint (C2SP tlog-checkpoint)' } },
    (_request, reply) => reply.type(text).header('cache-control', 'no-cache').send(log.checkpoint()),
  );
  app.get<{ Params: { '*': string } }>(
    '/v1/log/tile/*',
    { schema: { summary: 'A hash tile or entry bundle (C2SP tlog-tiles)' } },
    (request, reply) => {
      const bytes = tileBytes(log, parseTilePath(`tile/${request.params['*']}`));
      return reply.type(binary).header('cache-control', oneYear).send(Buffer.from(bytes));
    },
  );
};

const tileBytes = (log: LogStore, tile: Tile): Uint8Array => {
  const size = log.size();
  const present = tileAt(tile.level, tile.index, size);
  if (present === undefined || tile.width > present.width)
    throw new KeepsetError('transport/not-found', 'The log has no such tile yet.');
  if (tile.level !== 'entries') return readTile(log.hashes, tile, size);
  const first = tile.index * TILE_WIDTH;
  return printEntryBundle(Array.from({ length: tile.width }, (_, i) => recordOf(log, first + i)));
};

const recordOf = (log: LogStore, seq: number): Uint8Array => {
  const record = log.record(seq);
  if (record === undefined) throw new KeepsetError('store/damaged', 'The log lacks an entry it must have.');
  return record;
};
