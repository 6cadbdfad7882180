import { afterEach, expect, it } from 'vitest';
import { runningGateway } from '../gateways/testing/running-gateway.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
afterEach(() => server.close());

const spec = (more: object = {}) => ({
  run_name: 'embed',
  configuration: {
    ...{ type: 'service', port: 80, commands: ['serve'], https: 'auto', protocol: 'grpc' },
    ...more,
  },
});

const apply = (run_spec: object, current_resource: unknown = null, agent = 'dstack-cli') =>
  server.call(
    '/api/project/main/runs/apply',
    { plan: { run_spec, current_resource }, force: false },
    { headers: { 'user-agent': agent } },
  );
const refusal = async (...of: Parameters<typeof apply>) =>
  (await apply(...of)).body.detail?.[0]?.msg;

it('gRPC needs a gateway with a certificate', async () => {
  server = await startTestServer();
  expect(await refusal(spec())).toBe(
    '`protocol: grpc` needs a gateway with a certificate: set `gateway`, or make one the default of the project',
  );
  await runningGateway(server, 'edge');
  const edge = { gateway: 'edge' };
  for (const https of ['auto', true, false]) {
    expect(await refusal(spec({ ...edge, https }))).toBe(
      "`protocol: grpc` needs TLS: give gateway 'edge' a certificate",
    );
  }
  const more = { domain: '*.safe.test', certificate: { type: 'lets-encrypt' } };
  await runningGateway(server, 'safe', more);
  const safe = { gateway: 'safe' };
  expect(await refusal(spec({ ...safe, https: false }))).toBe(
    '`protocol: grpc` needs TLS: remove `https: false`',
  );
  const { body: run } = await apply(spec(safe));
  expect(run.service.url).toMatch(/^https:\/\/embed\./);
  expect(await refusal(spec({ ...safe, protocol: 'http' }), run)).toContain('protocol');
  // Clients of dstack 0.22.5 do not have the key.
  const { protocol: _, ...theirs } = { ...spec(safe).configuration, auth: false };
  const { protocol: __, ...known } = run.run_spec.configuration;
  const current = { ...run, run_spec: { ...run.run_spec, configuration: known } };
  const kept = await apply({ run_name: 'embed', configuration: theirs }, current, 'python');
  expect(kept.body.run_spec.configuration).toMatchObject({ protocol: 'grpc', auth: false });
});
