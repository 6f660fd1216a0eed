import { expect, it } from 'vitest';
import { memoryPlace, type MemoryPlace } from '../src/index.ts';
import {
  codeOf,
  copyOf,
  describePending,
  describePlace,
  describeSeveral,
  nameA,
  type Subject,
} from './contract.ts';

const make = async (): Promise<Subject<MemoryPlace>> => {
  const place = memoryPlace();
  return {
    place,
    reopen: async () => place,
    overwrite: async (name, bytes) => place.overwrite(name, bytes),
  };
};

describePlace('memory', make);
describeSeveral('memory', make);
describePending('memory', make);

it('fails as it is told', async () => {
  const { place } = await make();
  await place.put(nameA, copyOf('x'), { generation: 1 });
  for (const code of ['place/unreachable', 'place/full', 'place/read-only'] as const) {
    place.failWith(code);
    expect(await codeOf(place.put(nameA, copyOf('y'), { generation: 2 }))).toBe(code);
    expect(await codeOf(place.list())).toBe(code);
    expect(await place.health(nameA)).toMatchObject({ status: 'unreachable', code });
  }
  place.failWith(undefined);
  expect((await place.get(nameA))?.generation).toBe(1);
});
