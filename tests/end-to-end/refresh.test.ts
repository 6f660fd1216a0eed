/** A refresh with the real command: what becomes of presignatures, of copies, and of the old share. */
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { succeed, type Device, type Json } from '../support/commands.ts';
import { backUpToCloud, copyHealth, createStick, filesOf } from '../support/copies.ts';
import { otherMedium, temporaryFolder } from '../support/folders.ts';
import { keepset } from '../support/processes.ts';
import { makeKey, newPhone, newWorld } from '../support/world.ts';

// Many real processes: on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let phone: Device;
beforeAll(async () => {
  phone = await newPhone(await newWorld());
});

/** Runs a command of the phone, which must succeed. */
const onPhone = (args: readonly string[]): Promise<Json> => succeed([...args, ...phone.args]);

describe('a refresh', () => {
  it('says that unused presignatures are void, and what old shares are still good for', async () => {
    const keyId = await makeKey(phone, ['--scheme', 'ecdsa-secp256k1']);
    const made = await keepset(['presign', '--count', '2', '--path', 'm/0/5', '--key', keyId, ...phone.args]);
    expect(made.stdout).toContain(`with the child key m/0/5 of ${keyId} take one request`);
    expect(await onPhone(['presign', '--key', keyId])).toMatchObject({ path: 'm' });
    const { stdout } = await keepset(['refresh', '--key', keyId, ...phone.args]);
    expect(stdout).toContain('3 unused presignatures were for the old shares');
    expect(stdout).toContain('whole quorum of one old epoch still make the key');
    expect(await onPhone(['refresh', '--key', keyId])).toMatchObject({ voidPresignatures: 0 });
  });
});

describe('copies after a refresh', () => {
  const own = (keyId: string): string[] =>
    readdirSync(join(phone.home, 'shares')).filter((name) => name.startsWith(keyId));
  const outcomesOf = (json: Json): Record<string, unknown> =>
    Object.fromEntries(
      (json['copies'] as { kit: string; outcome: string }[]).map(({ kit, outcome }) => [kit, outcome]),
    );

  it('are rewritten where they can be reached, and listed where not', async () => {
    const keyId = await makeKey(phone);
    const elsewhere = otherMedium();
    const near = await createStick(join(elsewhere, 'near'), phone, '--key', keyId);
    const far = await createStick(join(elsewhere, 'far'), phone, '--key', keyId);
    const cloud = temporaryFolder();
    const folder = await backUpToCloud(cloud, phone, '--key', keyId);
    const { kit: paper } = await onPhone(['kit', '--out', temporaryFolder(), '--key', keyId]);
    renameSync(far.root, `${far.root}-away`);
    const refreshed = await onPhone(['refresh', '--key', keyId]);
    expect(refreshed).toMatchObject({ epoch: 1, retired: true });
    expect(outcomesOf(refreshed)).toEqual({
      [near.kit]: 'rewritten',
      [far.kit]: 'unreachable',
      [folder.kit]: 'rewritten',
      [paper as string]: 'print',
    });
    expect(own(keyId)).toEqual([expect.stringContaining(`${keyId}.1.`)]);
    expect(filesOf(folder)).toEqual([expect.stringContaining(`${keyId}.1.`)]);
    expect(await copyHealth(phone, keyId, near.kit)).toMatchObject({
      proof: 'written',
      reach: { status: 'intact' },
    });
    expect((await copyHealth(phone, keyId, near.kit)).stale).toBeUndefined();
    expect(await copyHealth(phone, keyId, folder.kit)).toMatchObject({
      proof: 'read back',
      reach: { status: 'intact' },
    });
    expect(await copyHealth(phone, keyId, far.kit)).toMatchObject({ stale: 'epoch', counts: false });
    expect(await copyHealth(phone, keyId, paper as string)).toMatchObject({ stale: 'epoch', counts: false });
    // The codes stay what they were.
    await onPhone(['usb', 'verify', near.root, '--code', near.code]);
    // Plugged in later, the other stick follows.
    renameSync(`${far.root}-away`, far.root);
    const { keys } = await onPhone(['backup', '--again', '--key', keyId]);
    expect(outcomesOf((keys as Json[])[0] ?? {})).toMatchObject({ [far.kit]: 'rewritten' });
    expect((await copyHealth(phone, keyId, far.kit)).stale).toBeUndefined();
  });

  it('hold up the end of the old share only while they are there and cannot be written', async () => {
    const keyId = await makeKey(phone);
    const cloud = temporaryFolder();
    const { kit } = await backUpToCloud(cloud, phone, '--key', keyId);
    const folder = join(cloud, `keepset-${kit}`);
    renameSync(folder, `${folder}-aside`);
    writeFileSync(folder, 'in the way');
    const refreshed = await onPhone(['refresh', '--key', keyId]);
    expect(refreshed).toMatchObject({ epoch: 1, retired: false });
    expect(outcomesOf(refreshed)).toEqual({ [kit]: 'failed' });
    expect(own(keyId).map((name) => name.split('.')[1])).toEqual(['0', '1']);
    rmSync(folder);
    renameSync(`${folder}-aside`, folder);
    // Any command that opens the device goes on.
    const { stderr } = await keepset(['keys', ...phone.args]);
    expect(stderr).toContain('rewritten and read back');
    expect(own(keyId).map((name) => name.split('.')[1])).toEqual(['1']);
    rmSync(folder, { recursive: true });
    expect(outcomesOf(await onPhone(['refresh', '--key', keyId]))).toEqual({ [kit]: 'gone' });
    expect(own(keyId).map((name) => name.split('.')[1])).toEqual(['2']);
  });
});
