import type { GatewayService } from '@dstack/contract/agent';
import { expect, it } from 'vitest';
import { HostedServices } from './services.ts';

const service = (run: string, custom_hosts: readonly string[] | null): GatewayService => ({
  ...{ run_id: `id-${run}`, project: 'main', run, host: `${run}.apps.test`, https: true },
  ...{ custom_hosts: custom_hosts && [...custom_hosts], replicas: [] },
  configuration: JSON.stringify({ model: null }),
});

it('a service is found by its custom host names, which take no name of a run', () => {
  const services = new HostedServices();
  services.replace([
    service('web', ['chat.example.test', 'api.apps.test']),
    service('api', ['chat.example.test']),
    service('old', null),
  ]);
  const runOf = (host: string) => services.ofHost(host)?.run ?? null;
  expect(['web.apps.test', 'api.apps.test', 'old.apps.test'].map(runOf)).toEqual([
    ...['web', 'api', 'old'],
  ]);
  // The older service keeps it until it has left.
  expect(runOf('chat.example.test')).toBe('web');
  services.set('id-web', service('web', []));
  expect(runOf('chat.example.test')).toBe('api');
  services.set('id-api', null);
  expect(runOf('chat.example.test')).toBeNull();
});
