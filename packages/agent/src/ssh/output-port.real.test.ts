import { once } from 'node:events';
import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { eachWithJobSsh, readOutput, T0 } from '../testing/job-ssh-harness.ts';

const job = eachWithJobSsh();

describe('output on port 10999', () => {
  it('is replayed, continues live, and ends with a close after everything', async () => {
    job.print('\x1b[1mone\x1b[0m\r\n');
    const [local] = await job.attach('user', ['localhost:10999']);
    const early = readOutput(local);
    await once(early.socket, 'message');
    job.print('two\r\n');
    const late = readOutput(local);
    await once(late.socket, 'message');
    job.print('unfinished');
    job.finish();
    const whole = { text: '\x1b[1mone\x1b[0m\r\ntwo\r\nunfinished', code: 1000 };
    expect(await early.done).toEqual(whole);
    expect(await late.done).toEqual(whole);
    expect(await readOutput(local).done).toEqual(whole);
  });

  it('begins at a time, to the second', async () => {
    job.print('a', T0);
    job.print('b', T0 + 1_900_000);
    job.print('c', T0 + 2_100_000);
    job.finish();
    const [local] = await job.attach('user', ['127.0.0.1:10999']);
    const from = (time: string) => readOutput(local, `?start_time=${time}`).done;
    const at = (micros: number) => encodeURIComponent(new Date(micros / 1000).toISOString());
    expect((await from(at(T0 + 1_950_000))).text).toBe('bc');
    expect((await from(at(T0 + 2_000_000))).text).toBe('c');
    expect((await from(at(T0 + 3_000_000))).text).toBe('');
    expect((await from('2023-11-14T23:13:21%2B01:00')).text).toBe('bc');
    expect((await from('2023-11-14T23:13:21+01:00')).text).toBe('bc');
    expect(await from('yesterday')).toEqual({ text: '', code: 1003 });
  });

  it('answers pings', async () => {
    const [local] = await job.attach('user', ['[::1]:10999']);
    const { socket, done } = readOutput(local);
    await once(socket, 'open');
    socket.ping();
    await once(socket, 'pong');
    socket.close();
    await done;
  });

  it('waits for a slow client without delaying the job or others', async () => {
    const [local] = await job.attach('user', ['localhost:10999']);
    const slow = readOutput(local);
    await once(slow.socket, 'open');
    slow.socket.pause();
    const line = `${'y'.repeat(999)}\n`;
    for (let i = 0; i < 20_000; i++) job.print(line);
    job.finish();
    expect((await readOutput(local).done).text.length).toBe(20_000_000);
    slow.socket.resume();
    expect(await slow.done).toEqual({ text: line.repeat(20_000), code: 1000 });
  });

  it('serves no other paths', async () => {
    const [local] = await job.attach('user', ['localhost:10999']);
    expect((await fetch(`http://127.0.0.1:${local}/api/pull`)).status).toBe(404);
    const upgrade = request({
      ...{ port: local, path: '/other' },
      headers: { connection: 'upgrade', upgrade: 'websocket' },
    });
    upgrade.end();
    const [response] = await once(upgrade, 'response');
    expect(response.statusCode).toBe(404);
    response.resume();
  });

  it('is refused for an invalid path, and other requests are still served', async () => {
    const [local] = await job.attach('user', ['localhost:10999']);
    const upgrade = request({
      ...{ port: local, path: '//' },
      headers: { connection: 'upgrade', upgrade: 'websocket' },
    });
    upgrade.end();
    const [response] = await once(upgrade, 'response');
    expect(response.statusCode).toBe(404);
    response.resume();
    job.finish();
    expect((await readOutput(local).done).code).toBe(1000);
  });
});
