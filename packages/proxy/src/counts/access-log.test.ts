import { pino } from 'pino';
import { expect, it } from 'vitest';
import { accessLog } from './access-log.ts';

/** The lines that are written for requests with these statuses; the random numbers are 0.4, 0.6, … */
function lines(part: number, ...statuses: number[]) {
  const written: Record<string, unknown>[] = [];
  const log = pino(
    { base: null },
    { write: (line: string) => void written.push(JSON.parse(line)) },
  );
  let asked = 0;
  const onEnded = accessLog(part, log, () => (asked++ % 2 === 0 ? 0.4 : 0.6));
  const route = { projectName: 'main', runName: 'web' };
  for (const status of statuses) {
    const request = { method: 'POST' };
    const asked = { route, request, path: '/v1/x?key=secret', user: 'ann', id: 'id-1' };
    onEnded({ ...asked, status, ms: 12.4 } as never);
  }
  return written;
}

it('a request is one line, without its query', () => {
  const [line] = lines(1, 200);
  expect(line).toMatchObject({
    ...{ service: 'main/web', method: 'POST', path: '/v1/x', status: 200, ms: 12 },
    ...{ user: 'ann', requestId: 'id-1', msg: 'request to a service' },
  });
  expect(JSON.stringify(line)).not.toContain('secret');
});

it('only a part of the requests is written, but every failed one', () => {
  expect(lines(0.5, 200, 201, 202, 203).map(({ status }) => status)).toEqual([200, 202]);
  expect(lines(0.1, 200, 503, 404, 502).map(({ status }) => status)).toEqual([503, 502]);
  expect(lines(0, 200, 503)).toEqual([]);
});
