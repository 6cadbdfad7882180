import { parseConfiguration, SIM_TYPES } from '@dstack/contract';
import { BackendConfigWithCreds } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { joinSecrets } from '../backend-config/secrets.ts';
import { simConfigOf, simRow } from './sim-rows.ts';

const file = (as: string) =>
  `projects:\n- name: main\n  backends:\n  - {type: sim, as: ${as}, boot_seconds: 2, quota: 5}\n`;

const read = (as: string, sim: boolean) => parseConfiguration(file(as), 'server-config', { sim });

it.each(SIM_TYPES)('a simulated %s is shown as that type, and nothing else', (as) => {
  const answer = read(as, true);
  const entry = answer.ok ? answer.value.projects[0]?.backends?.[0] : undefined;
  if (entry?.type !== 'sim') throw new Error('it is not a simulated backend');
  const row = simRow(entry);
  expect(simConfigOf(row)).toMatchObject({ as, boot_seconds: [2, 2], quota: 5 });
  const shown = joinSecrets({ config: row.sourceConfig ?? {}, auth: row.sourceAuth ?? {} });
  expect(BackendConfigWithCreds.parse(shown).type).toBe(as);
  expect(JSON.stringify(shown)).not.toContain('boot_seconds');
});

it('a server that does not allow it names the variable that would', () => {
  const answer = read('aws', false);
  expect(answer.ok ? [] : answer.errors).toMatchObject([
    { path: 'projects.0.backends.0', message: expect.stringContaining('DSTACK_SIM=1') },
  ]);
});

it('it can stand for no type that only exists elsewhere', () => {
  expect(read('remote', true).ok).toBe(false);
});
