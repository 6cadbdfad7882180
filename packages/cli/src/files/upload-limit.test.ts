import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { recordedRoutes, TASK } from '../testing/apply-run.ts';
import { type Route, startFakeServer, wireError } from '../testing/fake-server.ts';

import { runCommand, serverEnv, withDirectory } from '../testing/run-command.ts';

/** `apply` of a run with a folder of 3 MB, which the server does not have. */
async function applyLarge(routes: Record<string, Route>, argv: readonly string[]) {
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    'POST /api/files/get_archive_by_hash': wireError('resource_not_exists', 'none'),
    ...routes,
  });
  return withDirectory(async (cwd) => {
    await mkdir(join(cwd, 'data'));
    await writeFile(join(cwd, 'data', 'big.bin'), Buffer.alloc(3 * 1024 * 1024));
    await writeFile(join(cwd, 't.yml'), `${TASK}files: [data]\n`);
    const options = { env: serverEnv(fake.url), cwd, home: cwd };
    const result = await runCommand(['apply', '-f', 't.yml', ...argv], options);
    return { ...result, calls: fake.calls };
  });
}

test('an upload above the limit of the server is refused before the plan and the question', async () => {
  const info = { json: { server_version: '0.22.5', upload_limit: 2_097_152 } };
  const { code, err, calls } = await applyLarge({ 'POST /api/server/get_info': info }, []);
  expect(code).toBe(1);
  expect(err).toMatch(/error: The upload of \S+\/data has \d+ bytes, the server accepts 2097152\n/);
  expect(err).toMatch(/why: {2}largest files in \S+\/data: data\/big\.bin \(3\.0 MB\)/);
  expect(err).toContain('.dstackignore');
  expect(calls.filter((call) => /get_plan|upload|apply/.test(call))).toEqual([]);
});

test.each([
  ['without a limit', { json: { server_version: '0.22.5', upload_limit: 0 } }],
  ['that reports none', { json: { server_version: '0.22.5' } }],
  ['without the call', { status: 404, json: { detail: 'Not Found' } }],
])('a server %s decides itself', async (_name, info) => {
  const { code, calls } = await applyLarge(
    {
      'POST /api/server/get_info': info,
      'POST /api/files/upload_archive': { json: { id: 'a', hash: 'h' } },
    },
    ['-y', '-d'],
  );
  expect([code, calls.some((call) => call.endsWith('upload_archive'))]).toEqual([0, true]);
});

test('the refusal of a server that reports no limit gives its advice once', async () => {
  const text =
    'The upload has 3146752 bytes, the server accepts 2097152. Leave files out with .gitignore or .dstackignore, or set DSTACK_SERVER_CODE_UPLOAD_LIMIT on the server (0 = no limit).';
  const { code, err } = await applyLarge(
    { 'POST /api/files/upload_archive': wireError('error', text) },
    ['-y', '-d'],
  );
  expect(code).toBe(1);
  expect(err).toContain('error: The upload has 3146752 bytes, the server accepts 2097152\n');
  expect(err.match(/CODE_UPLOAD_LIMIT/g)).toHaveLength(1);
});
