import { expect, it } from 'vitest';
import type { GatewayCertificateState, GatewayReport } from '../model/index.ts';
import { certificateEvents } from './certificate-events.ts';
import { eventMessage } from './event-message.ts';

const gateway = { id: 'g', name: 'edge', projectId: 'p' };
const END = 1_790_000_000_000_000;

type State = 'good' | 'ending' | 'expired' | 'failed';

const certificate = (state: State, domain = 'web.test'): GatewayCertificateState => ({
  ...{ domain, source: 'acme', expiresAt: END, renewsAt: null },
  state: state === 'good' || state === 'ending' ? 'valid' : state,
  ...{ endsSoon: state === 'ending', message: state === 'good' ? null : 'no zone' },
});

const report = (...certificates: GatewayCertificateState[]): GatewayReport => ({
  ...{ replicaId: 'r', state: 'ready', text: null, hostname: null, version: '1' },
  ...{ certificates, outdated: null, updatedAt: 1 },
});

/**
 * Events about one name, as texts: the last report of each replica had `before`, and one of them now
 * reports `next`.
 */
const textsOf = (before: readonly State[], next: State) =>
  certificateEvents(
    gateway,
    before.map((state) => report(certificate(state))),
    report(certificate(next)),
  ).map(eventMessage);

const ENDS = [
  'The certificate for web.test ends at 2026-09-21 14:13:20 UTC, and has not been renewed: no zone',
];
const EXPIRED = ['The certificate for web.test has expired at 2026-09-21 14:13:20 UTC: no zone'];
const RENEWED = [
  'The certificate for web.test has been renewed, and is valid until 2026-09-21 14:13:20 UTC',
];

it.each([
  [['good'], 'ending', ENDS],
  [['good', 'good'], 'ending', ENDS],
  [[], 'ending', ENDS],
  [['ending', 'good'], 'ending', []],
  [['ending'], 'expired', EXPIRED],
  [['expired', 'ending'], 'expired', []],
  [['expired'], 'good', RENEWED],
  [['ending', 'ending'], 'good', RENEWED],
  [['good', 'ending'], 'good', []],
  [[], 'good', []],
  [['failed'], 'good', []],
  [['failed'], 'failed', []],
  [['good'], 'good', []],
] as const)('of replicas that report %j, one that reports %s has its event once', (...of) => {
  const [before, next, texts] = of;
  expect(textsOf(before, next)).toEqual(texts);
});

it('one certificate for many names has one event', () => {
  const names = Array.from({ length: 500 }, (_, n) => `run-${n}.test`);
  const reports = report(...names.map((name) => certificate('ending', name)));
  const events = certificateEvents(gateway, [], reports);
  expect(events.map(eventMessage)).toEqual([
    expect.stringContaining('for run-0.test, run-1.test, run-2.test and 497 more ends'),
  ]);
  expect(events[0]?.targets).toMatchObject([{ type: 'gateway', name: 'edge' }]);
});
