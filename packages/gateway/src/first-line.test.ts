import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type FirstLine, readFirstLine, skipLine } from './first-line.ts';

const open: { destroy(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.destroy();
});

/** Both ends of a connection. */
async function connection(): Promise<{ readonly near: Socket; readonly far: Socket }> {
  const server = createServer({ pauseOnConnect: true, highWaterMark: 1 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [near] = (await once(server, 'connection')) as [Socket];
  server.close();
  open.push(near, far);
  return { near, far };
}

it('reads the line, and leaves it with what follows in the paused connection', async () => {
  const { near, far } = await connection();
  const first = new Promise<FirstLine | null>((done) => readFirstLine(near, 100, done));
  far.write('on');
  far.write('e\ntwo\nthree');
  expect(await first).toEqual({ line: 'one', rest: Buffer.from('two\nthree') });
  expect(near.isPaused()).toBe(true);
  skipLine(near, (await first) as FirstLine);
  near.resume();
  const [rest] = (await once(near, 'data')) as [Buffer];
  expect(rest.toString()).toBe('two\nthree');
});

it.each(['x'.repeat(500), `${'x'.repeat(500)}\n`])(
  'reports a line that is too long',
  async (text) => {
    const { near, far } = await connection();
    const line = new Promise<FirstLine | null>((done) => readFirstLine(near, 100, done));
    far.write(text);
    expect(await line).toBeNull();
  },
);
