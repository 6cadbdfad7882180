import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@dstack/client';
import { ToolRefusal } from '@dstack/mcp';
import { expect, test } from 'vitest';
import { createIo } from '../../terminal/io.ts';
import { startFakeServer, wireError } from '../../testing/fake-server.ts';
import { withDirectory } from '../../testing/run-command.ts';
import { localFiles } from './local-files.ts';

const sink = { isTTY: false, write() {} };
const input = { async *[Symbol.asyncIterator]() {} };
const io = createIo({ out: sink, err: sink, input }, {}, 'never');

async function setUp(limit: number) {
  const fake = await startFakeServer({
    'POST /api/files/get_archive_by_hash': wireError('resource_not_exists', 'none'),
    'POST /api/files/upload_archive': { json: { id: 'a', hash: 'h' } },
    'POST /api/server/get_info': { json: { server_version: '0.22.5', upload_limit: limit } },
  });
  const client = createClient({ url: fake.url, token: 'token' });
  return { fake, client };
}

test('files are packed where `dstack mcp` runs, and sent when they are uploaded', () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, 'a.txt'), 'a');
    const { fake, client } = await setUp(0);
    const files = [{ local_path: 'a.txt', path: 'b.txt' }];
    const packed = await localFiles({ cwd, home: cwd, io }, ToolRefusal)(files, client);
    expect(packed.mappings).toEqual([{ local_path: join(cwd, 'a.txt'), path: 'b.txt' }]);
    expect(fake.calls.some((call) => call.endsWith('upload_archive'))).toBe(false);
    expect(await packed.upload()).toEqual([{ id: 'a', path: 'b.txt' }]);
  }));

test('a missing or large file is a refusal with cause and next step', () =>
  withDirectory(async (cwd) => {
    await writeFile(join(cwd, 'a.txt'), 'a'.repeat(9000));
    const { client } = await setUp(5000);
    const pack = localFiles({ cwd, home: cwd, io }, ToolRefusal);
    const large = pack([{ local_path: 'a.txt', path: 'a.txt' }], client);
    await expect(large).rejects.toThrow(/the server accepts 5000\. Largest files .*a\.txt/);
    const missing = pack([{ local_path: 'nope', path: 'nope' }], client);
    await expect(missing).rejects.toThrow(ToolRefusal);
  }));
