import { expect, it } from 'vitest';
import { isLoopback, whyOpen } from './reach.ts';
import { compileSettings } from './settings.ts';

it('distinguishes loopback addresses from reachable ones', () => {
  expect(['127.0.0.1', '127.1.2.3', 'localhost', '::1', '[::1]'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '10.0.0.1', '::', '127.example.com', ''].some(isLoopback)).toBe(false);
});

it.each([
  [{}, null],
  [{ DSTACK_SERVER_URL: 'http://localhost:3000' }, null],
  [{ DSTACK_SERVER_HOST: '0.0.0.0' }, 'it listens on 0.0.0.0'],
  [{ DSTACK_SERVER_URL: 'https://dstack.example' }, 'DSTACK_SERVER_URL is https://dstack.example'],
  [{ DSTACK_SERVER_TRUSTED_PROXIES: 'loopback' }, 'DSTACK_SERVER_TRUSTED_PROXIES names a proxy'],
])('decides for %j whether the server is private', (env, why) => {
  expect(whyOpen(compileSettings(env))).toBe(why);
});
