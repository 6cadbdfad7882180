import { expect, it } from 'vitest';
import { localRule } from './local-rule.ts';
import { compileSettings } from './settings.ts';

const rule = (env: Record<string, string>) => localRule(compileSettings(env));

it('lets project main run jobs on the machine of a private server', () => {
  expect(rule({})).toEqual({ kind: 'on', projects: ['main'] });
});

it.each([
  [{ DSTACK_SERVER_HOST: '0.0.0.0' }, 'it listens on 0.0.0.0'],
  [{ DSTACK_SERVER_URL: 'https://d.example' }, 'DSTACK_SERVER_URL is https://d.example'],
  [{ DSTACK_SERVER_TRUSTED_PROXIES: '127.0.0.1' }, 'DSTACK_SERVER_TRUSTED_PROXIES names a proxy'],
])('runs no jobs on the machine of a server with %j', (env, why) => {
  expect(rule(env)).toEqual({
    kind: 'off',
    reason: `others can reach this server, since ${why}; name projects in DSTACK_LOCAL_PROJECTS to allow them`,
  });
});

it('lets named projects run jobs, wherever the server listens', () => {
  const env = { DSTACK_SERVER_HOST: '0.0.0.0', DSTACK_LOCAL_PROJECTS: 'ml, web' };
  expect(rule(env)).toEqual({ kind: 'on', projects: ['ml', 'web'] });
  expect(rule({ DSTACK_LOCAL_PROJECTS: '' })).toEqual({
    kind: 'off',
    reason: 'DSTACK_LOCAL_PROJECTS names no project',
  });
});
