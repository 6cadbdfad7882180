import { expect, test } from 'vitest';
import { BASE } from '../../testing/apply-run.ts';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv } from '../../testing/run-command.ts';

const line = (second: number, text: string, source = 'gateway', level = 'info') => ({
  ...{ time: `2026-11-28T17:00:0${second}.000Z`, source, level, text },
});
const log = (replica_num: number, lines: object[], more: object = {}) => ({
  ...{ replica_num, answered: true, next: `${replica_num},5`, skipped: false, lines },
  ...more,
});

test('the logs of all replicas are printed in the order of time, without escape sequences', async () => {
  const sent: unknown[] = [];
  const fake = await startFakeServer({
    [`POST ${BASE}/gateways/get_logs`]: ({ body }) => {
      sent.push(body);
      return {
        json: {
          replicas: [
            log(0, [line(1, 'one'), line(3, 'three\u001b[2J', 'nginx', 'error')]),
            log(1, [line(2, 'two')], { skipped: true }),
            log(2, [], { answered: false, next: null }),
          ],
        },
      };
    },
  });
  const env = serverEnv(fake.url);
  const { code, out, err } = await runCommand(['gateway', 'logs', 'edge', '-n', '7'], { env });
  expect(code).toBe(0);
  expect(sent).toEqual([{ name: 'edge', replica: null, lines: 7, after: null }]);
  expect(out.trimEnd().split('\n')).toEqual([
    '2026-11-28T17:00:01.000Z  replica 0 gateway  info  one',
    '2026-11-28T17:00:02.000Z  replica 1 gateway  info  two',
    expect.stringMatching(/^2026-11-28T17:00:03.000Z {2}replica 0 nginx {2}error {2}three/),
  ]);
  expect(out).not.toContain('\u001b');
  expect(err).toContain('Lines of replica 1 are missing here');
  expect(err).toContain('Replica 2 does not answer: see dstack gateway list -v');
  const json = await runCommand(['gateway', 'logs', 'edge', '--replica', '1', '--json'], { env });
  expect(sent.at(-1)).toEqual({ name: 'edge', replica: 1, lines: 100, after: null });
  expect(JSON.parse(json.out.split('\n')[0] ?? '')).toEqual({
    ...{ type: 'gateway-log', gateway: 'edge', replica: 0, ...line(1, 'one') },
  });
});

test('following asks for what has come since', async () => {
  const sent: { after: unknown }[] = [];
  const fake = await startFakeServer({
    [`POST ${BASE}/gateways/get_logs`]: ({ body }) => {
      sent.push(body as { after: unknown });
      const isFirst = sent.length === 1;
      if (sent.length > 2)
        return { status: 400, json: { detail: [{ msg: 'over', code: 'error' }] } };
      return { json: { replicas: [log(0, [line(sent.length, isFirst ? 'one' : 'two')])] } };
    },
  });
  const { out } = await runCommand(['gateway', 'logs', 'edge', '-f'], { env: serverEnv(fake.url) });
  expect(sent.map(({ after }) => after)).toEqual([null, { 0: '0,5' }, { 0: '0,5' }]);
  expect(out).toMatch(/one\n.*two\n$/);
});

test('a gateway without replicas has no log', async () => {
  const fake = await startFakeServer({
    [`POST ${BASE}/gateways/get_logs`]: { json: { replicas: [] } },
  });
  const { code, err } = await runCommand(['gateway', 'logs', 'edge'], { env: serverEnv(fake.url) });
  expect([code, err]).toEqual([1, expect.stringContaining('Gateway edge has no replica yet')]);
});
