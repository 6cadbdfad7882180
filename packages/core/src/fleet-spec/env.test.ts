import { FleetSpec } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { fleetEnv } from './env.ts';

const specWith = (env?: object) =>
  FleetSpec.parse({
    configuration: { type: 'fleet', name: 'rack', env, ssh_config: { user: 'u', hosts: ['a'] } },
    profile: { name: 'default' },
  });

it('hosts get the variables of their fleet that have a value', () => {
  const env = { PROXY: 'http://proxy:3128', EMPTY: '', TOKEN: { key: 'TOKEN' } };
  expect(fleetEnv(specWith(env))).toEqual({ PROXY: 'http://proxy:3128', EMPTY: '' });
});

it('a fleet without variables gives its hosts none', () => {
  expect(fleetEnv(specWith())).toEqual({});
});
