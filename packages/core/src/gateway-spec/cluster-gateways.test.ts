import { GatewayConfiguration } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { diffGatewayConfigurations } from './diff.ts';
import { prepareGateway } from './prepare.ts';

const configuration = (kubernetes: object | null, more: object = {}) =>
  GatewayConfiguration.parse({
    ...{ name: 'edge', backend: 'kubernetes', region: 'east', domain: '*.apps.test' },
    ...{ certificate: null, ...more },
    ...(kubernetes === null ? {} : { backend_settings: { kubernetes } }),
  });

const ports = { http: 30_080 };

it.each([
  ['a LoadBalancer', configuration(null), null],
  ['node ports', configuration({ service: 'NodePort', node_ports: ports }), null],
  ['an Ingress', configuration({ service: 'Ingress' }), null],
  ['a type of instance', configuration(null, { instance_type: 'big' }), /node_selector/],
  ['settings for another backend', configuration({}, { backend: 'gcp' }), /backend: kubernetes/],
  ['no node ports', configuration({ service: 'NodePort' }), /needs `node_ports`/],
  ['node ports without their service', configuration({ node_ports: ports }), /service: NodePort/],
  [
    'a certificate and no port for it',
    configuration(
      { service: 'NodePort', node_ports: ports },
      { certificate: { type: 'lets-encrypt' } },
    ),
    /needs `https`/,
  ],
  [
    'a certificate behind an Ingress',
    configuration({ service: 'Ingress' }, { certificate: { type: 'lets-encrypt' } }),
    /certificate: null/,
  ],
  [
    'an Ingress without a domain',
    configuration({ service: 'Ingress' }, { domain: null }),
    /domain/,
  ],
])('a gateway in a cluster with %s is accepted, or refused with the reason', (_, given, reason) => {
  const result = prepareGateway(given, { maxReplicas: 9 });
  if (reason === null) expect(result).toEqual({ ok: true });
  else expect(JSON.stringify(result)).toMatch(reason);
});

it.each([
  ['dns-01', { replicas: 2, public_ip: false }, null],
  ['http-01', { replicas: 2 }, null],
  ['http-01', { public_ip: false }, /public IP address/],
  ['tls-alpn-01', { replicas: 1 }, null],
  ['tls-alpn-01', { replicas: 2 }, /`replicas: 1`, because .* tls-alpn-01/],
] as const)('certificates by %s for %j are accepted, or refused with the reason', (...of) => {
  const [challenge, more, reason] = of;
  const given = GatewayConfiguration.parse({
    ...{ name: 'edge', backend: 'remote', region: 'pool', domain: '*.apps.test' },
    ...{ certificate: { type: 'lets-encrypt' }, ...more },
  });
  const result = prepareGateway(given, { maxReplicas: 9, challenge });
  if (reason === null) expect(result).toEqual({ ok: true });
  else expect(JSON.stringify(result)).toMatch(reason);
});

it('the domain of an Ingress changes with a new gateway, that of others in place', () => {
  for (const [settings, updatable] of [
    [{ service: 'Ingress' }, false],
    [{}, true],
  ] as const) {
    const after = configuration(settings, { domain: '*.other.test' });
    expect(diffGatewayConfigurations(configuration(settings), after)).toEqual({
      ...{ changed: ['domain'], updatable },
    });
  }
  const moved = configuration(null, { region: 'west' });
  expect(diffGatewayConfigurations(configuration(null), moved)).toEqual({
    ...{ changed: ['region'], updatable: true },
  });
  const plain = diffGatewayConfigurations(configuration(null), configuration({}));
  expect(plain).toEqual({ changed: ['backend_settings'], updatable: false });
});

it('a gateway refuses new services until a configuration contains the opposite', () => {
  const open = configuration(null);
  const closed = configuration(null, { forbid_new_services: true });
  const diff = (before: typeof open, after: typeof open) =>
    diffGatewayConfigurations(before, after);
  const changed = { changed: ['forbid_new_services'], updatable: true };
  expect(diff(open, closed)).toEqual(changed);
  expect(diff(closed, configuration(null, { forbid_new_services: false }))).toEqual(changed);
  expect(diff(closed, open)).toEqual({ changed: [], updatable: true });
});
