import { expect, it } from 'vitest';
import { formerAddress } from './former-addresses.ts';

it.each([
  ['/overview', '/'],
  ['/auth/token', '/'],
  ['/models', '/services'],
  ['/fleets/topology', '/fleets'],
  ['/projects/add', '/projects#new'],
  ['/users/add', '/users#new'],
  ['/users/ada/edit', '/users/ada'],
  ['/projects/main/events', '/events?project=main'],
  ['/projects/main/backends/add', '/projects/main/backends'],
  ['/projects/main/backends/aws', '/projects/main/backends'],
  ['/projects/main/gateways/add', '/gateways?project=main#new'],
  ['/projects/main/runs/train/jobs/train-0-1', '/projects/main/runs/train/logs?job=train-0-1'],
  ['/projects/a%2Fb/runs/t/jobs/t-0-0/metrics', '/projects/a%2Fb/runs/t/metrics?job=t-0-0'],
  ['/projects/main/runs/t/jobs/t-0-0/events', '/projects/main/runs/t/events?job=t-0-0'],
])('%s, which bookmarks and other programs use, leads to %s', (from, to) => {
  expect(formerAddress(from, {})).toBe(to);
  expect(formerAddress(`${from}/`, {})).toBe(to);
});

it('the project that an address of the official UI names becomes that of all lists', () => {
  expect(formerAddress('/runs/launch', { project_name: 'main', x: 1 })).toBe(
    '/runs/launch?project=main',
  );
  expect(formerAddress('/runs', { project_name: 7 })).toBeNull();
});

it.each([
  '/',
  '/runs',
  '/projects',
  '/projects/main',
  '/projects/main/backends',
  '/users/ada',
  '/users/ada/events',
])('%s is left alone', (path) => expect(formerAddress(path, {})).toBeNull());
