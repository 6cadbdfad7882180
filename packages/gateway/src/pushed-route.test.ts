import type { GatewayService } from '@dstack/contract/agent';
import { PushedTable } from '@dstack/proxy';
import { expect, it } from 'vitest';
import { pushedRoute, pushedRoutes } from './pushed-route.ts';

const service = (
  run: string,
  custom_hosts: readonly string[] | null,
  custom_paths: GatewayService['custom_paths'] = null,
): GatewayService => ({
  ...{ run_id: `id-${run}`, project: 'main', run, host: `${run}.apps.test`, https: true },
  ...{ custom_hosts: custom_hosts && [...custom_hosts], custom_paths, replicas: [] },
  configuration: JSON.stringify({ model: null, rate_limits: [] }),
});

it('a service is found by its custom host names, which take no name of a run', () => {
  const services = new PushedTable();
  services.replace(
    pushedRoutes([
      service('web', ['chat.example.test', 'api.apps.test']),
      service('api', ['chat.example.test']),
      service('old', null),
    ]),
  );
  const runOf = (host: string) => services.ofHost(host, '/')?.service.route.runName ?? null;
  expect(['web.apps.test', 'api.apps.test', 'old.apps.test'].map(runOf)).toEqual([
    ...['web', 'api', 'old'],
  ]);
  // The older service keeps it until it has left.
  expect(runOf('chat.example.test')).toBe('web');
  services.put(pushedRoute('id-web', service('web', [])));
  expect(runOf('chat.example.test')).toBe('api');
  services.put(pushedRoute('id-api', null));
  expect(runOf('chat.example.test')).toBeNull();
});

it('services share a host name by paths', () => {
  const services = new PushedTable();
  const at = (path: string) => [{ host: 'api.example.test', path }];
  services.replace(
    pushedRoutes([
      service('chat', null, at('/chat')),
      service('embed', null, [...at('/embed'), ...at('/chat/embed')]),
      { ...service('other', null, at('/other')), project: 'lab' },
    ]),
  );
  const runOf = (url: string) => services.ofHost('api.example.test', url)?.service.route.runName;
  expect(['/chat/x', '/embed', '/chat/embed/y'].map(runOf)).toEqual(['chat', 'embed', 'embed']);
  // A name belongs to one project.
  expect(() => runOf('/other')).toThrow('No service at api.example.test has this path');
  services.put(pushedRoute('id-embed', null));
  expect(runOf('/chat/embed')).toBe('chat');
  expect(services.ofHost('unknown.test', '/')).toBeNull();
});
