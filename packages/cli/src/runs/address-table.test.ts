import { expect, it } from 'vitest';
import { renderAddresses } from './address-table.ts';

const connection = { client: { url: 'http://server' } } as never;
const layout = { width: null, paint: (_style: string, text: string) => text };

const run = (name: string, service: object | null, status = 'running') =>
  ({ run_spec: { run_name: name }, service, status }) as never;

const shown = (...runs: never[]) =>
  renderAddresses(runs, connection, layout)
    .split('\n')
    .map((line) => line.trim().replaceAll(/ {2,}/g, ' | '));

it('services are listed with their generated addresses, names of their own, paths and models', () => {
  const hosts = ['chat.example.com', 'api.example.com/embed'];
  const model = { name: 'parrot', base_url: 'https://web.apps.test/v1' };
  expect(
    shown(
      run('web', { url: 'https://web.apps.test', model, hosts }),
      run('train', null),
      run('old', { url: 'https://old.apps.test', model: null }, 'terminated'),
      run('plain', { url: '/proxy/services/main/plain/', model: null }),
    ),
  ).toEqual([
    ...['', 'SERVICE | ADDRESS', 'web | https://web.apps.test', 'https://chat.example.com'],
    ...['https://api.example.com/embed', 'https://web.apps.test/v1 (model parrot)'],
    ...['plain | http://server/proxy/services/main/plain/', ''],
  ]);
});

it('nothing is added to a list without services', () => {
  expect(renderAddresses([run('train', null)], connection, layout)).toBe('');
});
