import { expect, it } from 'vitest';
import { ServiceConfiguration } from './service.ts';

const service = (more: object) =>
  ServiceConfiguration.safeParse({ type: 'service', port: 80, commands: ['serve'], ...more });

it('is http or grpc, and left out unless it is set', () => {
  expect(service({ protocol: 'grpc' }).data?.protocol).toBe('grpc');
  expect(service({}).data).not.toHaveProperty('protocol');
  expect(service({ protocol: 'tcp' }).error?.issues[0]?.path).toEqual(['protocol']);
});

it.each([
  [{ model: 'parrot' }, 'model'],
  [{ probes: [{ type: 'http' }] }, 'probes'],
  [{ liveness: { url: '/' } }, 'liveness'],
  [{ mirror: { service: 'next' } }, 'mirror'],
])('grpc is refused beside %j, which needs HTTP', (more, key) => {
  const messages = service({ protocol: 'grpc', ...more }).error?.issues.map((one) => one.message);
  expect(messages?.join()).toContain(`can't have ${key} beside protocol: grpc`);
  expect(service({ protocol: 'http', ...more }).success).toBe(true);
  expect(service({ protocol: 'grpc', probes: [] }).success).toBe(true);
});
