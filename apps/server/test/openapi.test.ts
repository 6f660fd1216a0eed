import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { send } from '../../../tests/support/raw.ts';
import { serverOptions } from '../../../tests/support/server.ts';
import { startServer, type RunningServer } from '../src/index.ts';

interface Operation {
  readonly summary?: string;
  readonly security?: readonly Record<string, readonly string[]>[];
  readonly responses?: Record<string, { content?: Record<string, unknown> }>;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}
interface Description {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
}

let server: RunningServer;
let description: Description;
beforeAll(async () => {
  server = await startServer(serverOptions());
  const { status, body, headers } = await get('/openapi.json');
  expect(status).toBe(200);
  expect(headers['content-type']).toMatch(/^application\/json/);
  description = JSON.parse(Buffer.from(body).toString()) as Description;
});
afterAll(() => server.close());

const get = (path: string) => send(server.url, { method: 'GET', path, body: new Uint8Array(0), headers: {} });

describe('the description at /openapi.json', () => {
  it('is valid OpenAPI 3.1, as a validator that is not ours finds', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(
      structuredClone(description) as unknown as Record<string, unknown>,
    );
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
    expect(validator.version).toBe('3.1');
  });

  it('would be found wanting if it were', async () => {
    const { openapi: _openapi, ...without } = description;
    expect((await new Validator().validate(without)).valid).toBe(false);
  });

  it('names every address of version 1, each with what it does and how it refuses', () => {
    const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
    expect(operations.length).toBeGreaterThanOrEqual(5);
    for (const { path, operation } of operations) {
      expect(operation.summary, path).toMatch(/\w/);
      const isPublic = path.startsWith('/v1/log/');
      expect(operation.security, path).toEqual(isPublic ? undefined : [{ deviceSignature: [] }]);
      if (!isPublic)
        expect(Object.keys(operation.responses ?? {}), path).toEqual(
          expect.arrayContaining(['200', '4XX', '5XX']),
        );
      const inPath = [...path.matchAll(/\{(.+?)\}/g)].map(([, name = '']) => name);
      const named = (operation.parameters ?? []).filter((each) => each.in === 'path').map(({ name }) => name);
      expect(named.sort(), path).toEqual(inPath.sort());
    }
  });

  it('describes addresses that are there', async () => {
    for (const [path, methods] of Object.entries(description.paths))
      for (const method of Object.keys(methods)) {
        const actual = path
          .replace('{session}', '0'.repeat(64))
          .replace('{step}', '1')
          .replace(/\{(key|kit)\}/, 'a'.repeat(26))
          .replace(/\{.*\}/, '0/000');
        const { status, body } = await send(server.url, {
          method: method.toUpperCase(),
          path: actual,
          body: new Uint8Array(0),
          headers: {},
        });
        // Unsigned, or an empty log: but never an address that nobody serves.
        expect(Buffer.from(body).toString('latin1'), path).not.toContain('There is nothing at this address');
        expect(status, path).toBeLessThan(500);
      }
  });
});

describe('other addresses', () => {
  it('/healthz says that the server answers', async () => {
    const { status, body } = await get('/healthz');
    expect({ status, body: Buffer.from(body).toString() }).toEqual({ status: 200, body: '{"status":"ok"}' });
  });

  it('the log’s checkpoint is there from the first moment', async () => {
    const { status, headers, body } = await get('/v1/log/checkpoint');
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-cache');
    expect(Buffer.from(body).toString()).toMatch(/^keepset\.log\/\S+\n0\n/);
  });
});
