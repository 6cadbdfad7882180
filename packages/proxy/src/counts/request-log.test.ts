import { expect, it } from 'vitest';
import { RequestStats } from '../policy/service-stats.ts';
import { RequestLog } from './request-log.ts';

const route = { runId: 'r', runName: 'web', projectName: 'main' };

/** How many answers the figures count after a request with these headers. */
function counted(headers: Record<string, string>): number {
  const stats = new RequestStats(() => 0);
  const log = new RequestLog({ stats, addressOf: () => '1.2.3.4', onEnded: () => {} });
  const request = { method: 'POST', headers, rawHeaders: [], socket: {} };
  log.begin({ route, request, path: '/', user: null, id: '1' } as never)(200, 'job');
  const { answered } = stats.raw('r');
  return Object.values(answered).reduce((sum, count) => sum + count, 0);
}

it('the time for which a WebSocket is open is no latency, but that of an answered offer is', () => {
  const upgrade = 'websocket';
  expect(counted({ upgrade })).toBe(0);
  expect(counted({ upgrade, 'content-length': '4' })).toBe(1);
  expect(counted({ upgrade, 'transfer-encoding': 'chunked' })).toBe(1);
  expect(counted({})).toBe(1);
});
