import { expect, it } from 'vitest';
import type { GatewayCertificateState, GatewayReport } from '../model/index.ts';
import { diagnosisOf } from './diagnosis.ts';
import { withHostNames } from './served-names.ts';

const certificate = (
  domain: string,
  state: GatewayCertificateState['state'],
  message: string | null = null,
): GatewayCertificateState => ({
  ...{ domain, source: 'acme', state, expiresAt: null, renewsAt: 9, message },
});

const report = (
  certificates: readonly GatewayCertificateState[],
  more: Partial<GatewayReport> = {},
): GatewayReport => ({
  ...{ replicaId: 'r1', state: 'ready', text: null, hostname: null, version: '1', certificates },
  ...{ outdated: null, updatedAt: 1, ...more },
});

const run = {
  serviceSpec: {
    ...{ url: 'https://web.apps.test', model: null, options: {} },
    hosts: ['chat.example.test', 'api.example.test/embed'],
  },
};

const RUNS = diagnosisOf({ state: 'running', waits: false, summary: 'It runs.', reasons: [] });

function named(...reports: GatewayReport[]) {
  return namedBy(reports);
}

function namedBy(reports: readonly GatewayReport[], problems: readonly string[] = []) {
  const { summary, reasons } = withHostNames(RUNS, run, { reports, problems });
  return [summary, ...reasons.map(({ rule, asked, has, until }) => [rule, asked, has, until])];
}

it('names the host names of a service without a valid certificate, with the cause', () => {
  const missing = 'Create this record: *.apps.test A 127.0.0.1';
  expect(
    named(
      report([
        certificate('web.apps.test', 'failed', missing),
        certificate('chat.example.test', 'pending'),
        certificate('api.example.test', 'expired', 'DNS does not answer.'),
        certificate('other.apps.test', 'failed'),
      ]),
      report([certificate('web.apps.test', 'pending')]),
    ),
  ).toEqual([
    `It runs. web.apps.test is not served, because it has no certificate: ${missing}. chat.example.test is not served yet, because its certificate is being requested.`,
    ['certificate', 'web.apps.test', 'failed', 9],
    ['certificate', 'chat.example.test', 'pending', 9],
    ['certificate', 'api.example.test', 'expired', 9],
  ]);
});

it('is silent about names that are served, also of a gateway without certificates', () => {
  expect(named(report([certificate('web.apps.test', 'valid')]))).toEqual(['It runs.']);
  expect(named(report([]))).toEqual(['It runs.']);
});

it('names a certificate that ends soon and has not been renewed', () => {
  const ending = {
    ...certificate('web.apps.test', 'valid', 'exit code 3: no such zone'),
    ...{ endsSoon: true, expiresAt: 1_790_000_000_000_000 },
  };
  expect(named(report([ending]))).toEqual([
    'It runs. web.apps.test is served until 2026-09-21 14:13:20 UTC only, because its certificate has not been renewed: exit code 3: no such zone.',
    ['certificate', 'web.apps.test', 'ending', 9],
  ]);
});

it('reports that no replica of the gateway serves requests', () => {
  const text = 'Its host is not connected';
  expect(
    named(report([certificate('web.apps.test', 'failed')], { state: 'waiting', text })),
  ).toEqual([
    `It runs. Its gateway does not serve requests: ${text}.`,
    ['not_ready', null, null, null],
  ]);
  expect(named()[0]).toBe(
    'It runs. Its gateway does not serve requests: no replica of it is ready.',
  );
});

it('reports what has to change in DNS, once if a certificate waits for the same', () => {
  const wrong = 'DNS leads chat.example.test to 192.0.2.1, not to this gateway (192.0.2.2)';
  const certificates = [certificate('web.apps.test', 'valid')];
  expect(namedBy([report(certificates)], [wrong])).toEqual([
    `It runs. ${wrong}.`,
    ['certificate', null, null, null],
  ]);
  const pending = certificate('chat.example.test', 'pending', wrong);
  expect(namedBy([report([pending])], [wrong])).toHaveLength(2);
});
