import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startFakeServer } from '../testing/fake-server.ts';
import { recordedAnswer } from '../testing/recordings.ts';
import { runCommand, serverEnv } from '../testing/run-command.ts';

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'profiles-'));
  await mkdir(join(cwd, '.dstack'));
});
afterEach(() => rm(cwd, { recursive: true }));

async function offersWith(profiles: string) {
  await writeFile(join(cwd, '.dstack', 'profiles.yml'), profiles);
  const path = '/api/project/main/runs/get_plan';
  const fake = await startFakeServer({
    [`POST ${path}`]: { json: await recordedAnswer('offer', path) },
  });
  return runCommand(['offer'], { env: serverEnv(fake.url), cwd });
}

test('a value of profiles.yml that YAML changes is shown with its place', async () => {
  const { code, err } = await offersWith('profiles:\n- name: big\n  max_duration: 1:30\n');
  expect(code).toBe(0);
  expect(err).toContain('profiles.yml:3:3: profiles.0.max_duration is read by YAML as the number');
});

test('a profiles.yml that is not valid is not advised to a command that cannot read it', async () => {
  const { code, err } = await offersWith('profiles:\n- name: big\n  max_durations: 1h\n');
  expect(code).not.toBe(0);
  expect(err).toContain('profiles.yml is not valid');
  expect(err).toContain('next: correct the file\n');
});
