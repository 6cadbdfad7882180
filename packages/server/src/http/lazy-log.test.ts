import Fastify, { LogController } from 'fastify';
import { expect, it } from 'vitest';
import { createLogger } from '../process/logging.ts';
import { lazyLog } from './lazy-log.ts';

it('names the request in what it logs, and costs nothing if it logs nothing', async () => {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line));
  const log = createLogger({ level: 'info', format: 'json' }, { write });
  let children = 0;
  log.onChild = () => {
    children += 1;
  };
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: lazyLog,
    genReqId: () => 'r1',
  });
  app.get('/quiet', () => 'ok');
  app.get('/loud', (request) => {
    request.log.warn({ token: 'x', err: new Error('broken') }, 'first');
    request.log.debug('not shown');
    request.log.child({ part: 2 }).info('second');
    return request.log.level;
  });
  const before = children;
  expect((await app.inject('/quiet')).body).toBe('ok');
  expect(children).toBe(before);
  expect((await app.inject('/loud')).body).toBe('info');
  expect(lines).toMatchObject([
    { reqId: 'r1', msg: 'first', token: '[redacted]', err: { message: 'broken' } },
    { reqId: 'r1', part: 2, msg: 'second' },
  ]);
});
