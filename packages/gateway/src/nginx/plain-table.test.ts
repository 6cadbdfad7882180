import type { GatewayService } from '@dstack/contract/agent';
import { PushedTable, plainPaths, plainTable } from '@dstack/proxy';
import { expect, it } from 'vitest';
import { pushedRoutes } from '../pushed-route.ts';

const RUN = '11111111-1111-4111-8111-111111111111';
const configuration = {
  ...{ type: 'service', auth: true, strip_prefix: true, replicas: null, scaling: null },
  ...{ autoscaling: null, rate_limits: [], held_requests: null, groups: null, affinity: null },
};

function service(changes: object = {}, more: Partial<GatewayService> = {}): GatewayService {
  return {
    ...{ run_id: RUN, project: 'main', run: 'web', host: 'web.apps.test', https: true },
    ...{ custom_hosts: null, custom_paths: null },
    configuration: JSON.stringify({ ...configuration, ...changes }),
    replicas: ['a', 'b'].map((job_id) => ({
      ...{ job_id, host_id: 'host', port: 80, running_at: 5_000_000, failing: job_id === 'b' },
      tunnel: null,
    })),
    ...more,
  };
}

function table(
  services: readonly GatewayService[],
  { unknown = '', leaving = '' }: { readonly unknown?: string; readonly leaving?: string } = {},
): Record<string, string> {
  const hosted = new PushedTable();
  hosted.replace(pushedRoutes(services));
  const found = plainTable(
    hosted.wholeHosts,
    (jobId) => (jobId === unknown ? null : `127.0.0.${jobId === 'a' ? 1 : 2}`),
    (jobId) => jobId === leaving,
  );
  return Object.fromEntries(found);
}

it('has services by path, with the project in lower case and what the app gets of a path', () => {
  const services = new PushedTable();
  const whole = service({ strip_prefix: false }, { project: 'Main', https: false });
  services.replace(pushedRoutes([whole]));
  const found = plainPaths(
    services.all,
    () => '127.0.0.1',
    () => false,
  );
  const replicas = 'a,127.0.0.1,80,0,5000;b,127.0.0.1,80,1,5000';
  expect([...found]).toEqual([['main/web', `${RUN}\t0100\tMain\tweb\t${replicas}`]]);
});

it('has a service under all its names, with its replicas', () => {
  const line = `${RUN}\t1101\tmain\tweb\ta,127.0.0.1,80,0,5000;b,127.0.0.2,80,1,5000`;
  expect(table([service({}, { custom_hosts: ['own.test'] })])).toEqual({
    ...{ 'web.apps.test': line, 'own.test': line },
  });
});

it('leaves out a replica that is about to be stopped', () => {
  expect(table([service()], { leaving: 'a' })['web.apps.test']).toMatch(/\tb,[^;]*$/);
});

it.each([
  ['calls of gRPC', { protocol: 'grpc' }],
  ['a model', { model: { name: 'm', format: 'openai', prefix: '/v1' } }],
  ['copies', { mirror: { service: 'other', percent: 100, methods: [] } }],
  ['affinity', { affinity: { type: 'ip_address' } }],
  [
    'rate limits',
    { rate_limits: [{ prefix: '/', key: { type: 'ip_address' }, rps: 1, burst: 0 }] },
  ],
  ['a router', { groups: [{ router: { type: 'sglang' } }] }],
])('has no service with %s', (_what, changes) => {
  expect(table([service(changes)])).toEqual({});
});

it('has no service of which a replica is not reached directly, or that has none', () => {
  expect(table([service()], { unknown: 'b' })).toEqual({});
  expect(table([service({}, { replicas: [] })])).toEqual({});
});

it('has no name that services share', () => {
  const path = { host: 'own.test', path: '/embed' };
  const found = table([service({}, { custom_hosts: ['own.test'], custom_paths: [path] })]);
  expect(Object.keys(found)).toEqual(['web.apps.test']);
});

it('has no service whose name would be read as two fields', () => {
  expect(table([service({}, { project: 'a\tb' })])).toEqual({});
});
