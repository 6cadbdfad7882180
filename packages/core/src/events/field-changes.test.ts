import { expect, it } from 'vitest';
import { fieldChanges } from './field-changes.ts';

const spec = (configuration: object, more: object = {}) => ({ ...more, configuration });

it('names the values before and after of each field, null for what is not set', () => {
  const before = spec({ image: 'a', replicas: { min: 1, max: 2 } });
  const after = spec({ image: 'b', port: 80 }, { working_dir: 'x' });
  const fields = ['configuration.image', 'configuration.port', 'configuration.replicas'];
  expect(fieldChanges([...fields, 'working_dir'], before, after)).toEqual([
    { field: 'configuration.image', before: 'a', after: 'b' },
    { field: 'configuration.port', before: null, after: 80 },
    { field: 'configuration.replicas', before: { min: 1, max: 2 }, after: null },
    { field: 'working_dir', before: null, after: 'x' },
  ]);
});

it('names the variables of `env` that changed, never their values', () => {
  const before = spec({ env: { SAME: '1', TOKEN: 'old-secret', GONE: 'x' } });
  const after = spec({ env: { SAME: '1', TOKEN: 'new-secret', ADDED: 'y' } });
  const changes = fieldChanges(['configuration.env'], before, after);
  expect(changes).toEqual(
    ['ADDED', 'GONE', 'TOKEN'].map((name) => ({
      field: `configuration.env.${name}`,
      hidden: 'secret',
    })),
  );
  expect(fieldChanges(['env'], { env: null }, { env: { A: '1' } })).toEqual([
    { field: 'env.A', hidden: 'secret' },
  ]);
});

it.each([
  ['registry_auth', { username: 'u', password: 'hidden-value' }],
  ['groups', [{ name: 'a', env: { A: 'hidden-value' } }]],
  ['hosts', ['a', { hostname: 'b', ssh_key: { public: 'p', private: 'hidden-value' } }]],
  ['templates_repo', 'https://ann:hidden-value@git.test/x.git'],
  ['autoscaling', [{ metric: 'prometheus', url: 'http://u:hidden-value@prometheus.test' }]],
  ['probes', [{ type: 'http', headers: [{ name: 'X-Key', value: 'hidden-value' }] }]],
])('hides the whole value of `%s` if it contains a credential', (field, value) => {
  for (const [before, after] of [
    [{ [field]: value }, {}],
    [{}, { [field]: value }],
  ] as const) {
    const changes = fieldChanges([field], before, after);
    expect(changes).toEqual([{ field, hidden: 'secret' }]);
    expect(JSON.stringify(changes)).not.toContain('hidden-value');
  }
});

it('shows a value whose places for credentials are empty', () => {
  const hosts = [{ hostname: 'b', env: {}, ssh_key: { public: 'p', private: null } }];
  expect(fieldChanges(['hosts'], {}, { hosts })).toEqual([
    { field: 'hosts', before: null, after: hosts },
  ]);
});

it('stays small: long values and more than 50 changes are left out', () => {
  const long = { commands: ['x'.repeat(2000)] };
  expect(fieldChanges(['commands'], long, {})).toEqual([{ field: 'commands', hidden: 'size' }]);
  const env = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`V${n}`, 'x']));
  expect(fieldChanges(['env'], {}, { env })).toHaveLength(50);
});
