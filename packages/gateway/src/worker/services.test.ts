import type { GatewayService } from '@dstack/contract/agent';
import { expect, it } from 'vitest';
import { HostedServices } from './services.ts';

const service = (
  run: string,
  custom_hosts: readonly string[] | null,
  custom_paths: GatewayService['custom_paths'] = null,
): GatewayService => ({
  ...{ run_id: `id-${run}`, project: 'main', run, host: `${run}.apps.test`, https: true },
  ...{ custom_hosts: custom_hosts && [...custom_hosts], custom_paths, replicas: [] },
  configuration: JSON.stringify({ model: null }),
});

it('a service is found by its custom host names, which take no name of a run', () => {
  const services = new HostedServices();
  services.replace([
    service('web', ['chat.example.test', 'api.apps.test']),
    service('api', ['chat.example.test']),
    service('old', null),
  ]);
  const runOf = (host: string) => services.ofHost(host, '/')?.service.run ?? null;
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

it('services share a host name by paths', () => {
  const services = new HostedServices();
  const at = (path: string) => [{ host: 'api.example.test', path }];
  services.replace([
    service('chat', null, at('/chat')),
    service('embed', null, [...at('/embed'), ...at('/chat/embed')]),
    { ...service('other', null, at('/other')), project: 'lab' },
  ]);
  const runOf = (url: string) => services.ofHost('api.example.test', url)?.service.run;
  expect(['/chat/x', '/embed', '/chat/embed/y'].map(runOf)).toEqual(['chat', 'embed', 'embed']);
  // A name belongs to one project.
  expect(() => runOf('/other')).toThrow('No service at api.example.test has this path');
  services.set('id-embed', null);
  expect(runOf('/chat/embed')).toBe('chat');
  expect(services.ofHost('unknown.test', '/')).toBeNull();
});
