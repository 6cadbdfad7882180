import type { Run } from '@dstack/contract/wire';
import { expect, test } from 'vitest';
import { attachedRun, BASE } from '../../testing/apply-run.ts';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

async function open(argv: string[], more: Partial<Run> = {}) {
  const run = { ...(await attachedRun()), ...more };
  const fake = await startFakeServer({ [`POST ${BASE}/runs/get`]: { json: run } });
  const result = await runCommand(['open', ...argv], { env: serverEnv(fake.url) });
  return { ...result, url: fake.url };
}

test('the address is that of the service, of the run’s page, or of the web UI', async () => {
  const service = { url: '/proxy/services/main/web/', model: null } as unknown as Run['service'];
  const served = await open(['web', '--print'], { service });
  expect(served.out).toBe(`${served.url}/proxy/services/main/web/\n`);
  const task = await open(['cdd080', '--print']);
  expect(task.out).toBe(`${task.url}/projects/main/runs/cdd080\n`);
  const page = await open(['web', '--page', '--print'], { service });
  expect(page.out).toBe(`${page.url}/projects/main/runs/web\n`);
  const ui = await open(['--print']);
  expect(ui.out).toBe(`${ui.url}\n`);
});

test('what is no address of a browser or editor is not opened', async () => {
  const service = { url: 'https://-evil', model: null } as unknown as Run['service'];
  const { code, err } = await open(['web'], { service });
  expect([code, err]).toEqual([1, expect.stringContaining('not one that a browser')]);
  expect((await open(['cdd080', '--ide'])).err).toContain('has no editor');
});
