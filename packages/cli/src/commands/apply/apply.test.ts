import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { apply, BASE, recordedRoutes, TASK } from '../../testing/apply-run.ts';
import { startFakeServer, wireError } from '../../testing/fake-server.ts';
import { recording } from '../../testing/recordings.ts';
import { runCommand, serverEnv, withDirectory } from '../../testing/run-command.ts';

test('-d sends what the official client sends, and returns', async () => {
  const fake = await startFakeServer(await recordedRoutes('apply-d'));
  const { code, out, err } = await apply(TASK, ['-y', '-d'], fake);
  expect([code, err]).toEqual([0, 'Run cdd080 submitted, detaching... (dstack logs -f cdd080)\n']);
  expect(out).toContain('Project');
  const recorded = await recording('apply-d');
  for (const path of ['repos/init', 'runs/get_plan', 'runs/apply'].map((p) => `${BASE}/${p}`)) {
    const theirs = structuredClone(recorded.find((call) => call.path === path)?.request);
    const spec = (theirs as { run_spec?: { configuration_path: string } }).run_spec;
    if (spec) spec.configuration_path = 't.dstack.yml';
    expect(fake.bodyOf(path)).toEqual(theirs);
  }
});

test('-d prints where a service is published', async () => {
  const fake = await startFakeServer(await recordedRoutes('apply-service'));
  const service = 'type: service\nname: sdd080\nimage: ref/base:1\ncommands: [x]\nport: 80:8124\n';
  const { code, err } = await apply(service, ['-y', '-d'], fake);
  expect(code).toBe(0);
  expect(err).toContain(`Service is published at:\n  ${fake.url}/proxy/services/main/sdd080/\n`);
});

test('--json prints the submitted run only', async () => {
  const fake = await startFakeServer(await recordedRoutes('apply-d'));
  const { out } = await apply(TASK, ['-y', '-d', '--json'], fake);
  expect(JSON.parse(out)).toMatchObject({ status: 'submitted', run_spec: { run_name: 'cdd080' } });
});

test('--dry-run prompts for nothing', async () => {
  const fake = await startFakeServer(await recordedRoutes('apply-d'));
  const { code, out, err } = await apply(TASK, ['--dry-run', '--json'], fake);
  expect([code, err]).toEqual([0, '']);
  expect(JSON.parse(out)).toMatchObject({ action: 'create' });
});

test('-f - reads the input and cannot ask questions', async () => {
  const fake = await startFakeServer(await recordedRoutes('apply-d'));
  const env = serverEnv(fake.url);
  const refused = await runCommand(['apply', '-f', '-'], { env, input: TASK });
  expect(refused.code).toBe(2);
  const done = await runCommand(['apply', '-f', '-', '-y', '-d'], { env, input: TASK });
  expect(done.code).toBe(0);
  expect(fake.bodyOf(`${BASE}/runs/get_plan`)).toMatchObject({
    run_spec: { configuration_path: '-' },
  });
});

test('files are packed, looked up by hash and uploaded only if unknown', async () => {
  const known = 'aaaaaaaa-0000-4000-8000-000000000001';
  const fresh = 'aaaaaaaa-0000-4000-8000-000000000002';
  let lookups = 0;
  const fake = await startFakeServer({
    ...(await recordedRoutes('apply-d')),
    'POST /api/files/get_archive_by_hash': () => {
      lookups += 1;
      return lookups === 1
        ? { json: { id: known, hash: 'h' } }
        : wireError('resource_not_exists', 'none');
    },
    'POST /api/files/upload_archive': { json: { id: fresh, hash: 'h' } },
  });
  await withDirectory(async (cwd) => {
    await mkdir(join(cwd, 'data'));
    await writeFile(join(cwd, 'data', 'a.txt'), 'a');
    await writeFile(join(cwd, 't.yml'), `${TASK}files:\n  - data\n  - data/a.txt:b.txt\n`);
    const argv = ['apply', '-f', 't.yml', '-y', '-d'];
    const { code } = await runCommand(argv, { env: serverEnv(fake.url), cwd, home: cwd });
    expect(code).toBe(0);
    expect(fake.bodyOf(`${BASE}/runs/get_plan`)).toMatchObject({
      run_spec: {
        file_archives: [{ id: known, path: 'data' }],
        configuration: { files: [{ local_path: join(cwd, 'data'), path: 'data' }, {}] },
      },
    });
    expect(fake.bodyOf(`${BASE}/runs/apply`)).toMatchObject({
      plan: {
        run_spec: {
          file_archives: [
            { id: known, path: 'data' },
            { id: fresh, path: 'b.txt' },
          ],
        },
      },
    });
  });
  expect(fake.calls.filter((c) => c.endsWith('upload_archive'))).toHaveLength(1);
});

test.each([
  [
    'type: task\nname: x\ncommands: [a]\nresources:\n  gpuu: 1\n',
    /t\.dstack\.yml:5:3: resources\.gpuu .*gpu/,
  ],
  ['type: task\ncommands: [a\n', /t\.dstack\.yml:\d+:\d+/],
])('a file that is not valid is shown with its place', async (yaml, place) => {
  const fake = await startFakeServer({});
  const { code, err } = await apply(yaml, ['-y'], fake);
  expect(code).toBe(1);
  expect(err).toMatch(place);
  expect(err).toContain('next: correct the file, then: dstack validate t.dstack.yml');
  expect(fake.calls).toEqual([]);
});

test('a missing variable and a missing file are named before any request', async () => {
  const fake = await startFakeServer({});
  const env = await apply(`${TASK}env: [NOT_THERE]\n`, ['-y'], fake);
  expect(env.err).toContain('Environment variable NOT_THERE is not set');
  const files = await apply(
    `${TASK}files: [nope]\n`,
    ['-y'],
    await startFakeServer(await recordedRoutes('apply-d')),
  );
  expect(files.err).toContain('nope');
  expect(files.code).toBe(1);
});

test('a device among the files is named, and nothing is sent', async () => {
  const fake = await startFakeServer(await recordedRoutes('apply-d'));
  const { code, err } = await apply(`${TASK}files: ['/dev/zero:zero']\n`, ['-y'], fake);
  expect(code).toBe(1);
  expect(err).toContain('Cannot upload /dev/zero');
  expect(err).toContain('neither a file nor a folder');
});
