import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { dialTcp } from '../network/dial.ts';
import { eachWithJobSsh, readOutput } from '../testing/job-ssh-harness.ts';

const job = eachWithJobSsh();

describe('forwards', () => {
  it('reach what the job can reach', async () => {
    const app = createServer((_, response) => response.end('hello from the app'));
    const port = await job.listen(app);
    const dialled: string[] = [];
    await job.restart({
      dial: (host, target) => {
        dialled.push(`${host}:${target}`);
        return dialTcp('127.0.0.1', port);
      },
    });
    const [local] = await job.attach('user', ['localhost:8000']);
    expect(await (await fetch(`http://127.0.0.1:${local}/`)).text()).toBe('hello from the app');
    expect(dialled).toEqual(['localhost:8000']);
  });

  it('carry large answers and both ends of a half-closed connection', async () => {
    const big = Buffer.alloc(20_000_000, 'x');
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      const parts: Buffer[] = [];
      socket.on('data', (data) => parts.push(data));
      socket.on('end', () => socket.end(Buffer.concat([big, ...parts])));
    });
    const port = await job.listen(server);
    const [local] = await job.attach('user', [`127.0.0.1:${port}`]);
    const socket = connect({ port: local!, host: '127.0.0.1', allowHalfOpen: true });
    socket.end('the question');
    let length = 0;
    let tail = '';
    for await (const data of socket) {
      length += data.length;
      tail = (tail + data.toString()).slice(-12);
    }
    expect([length, tail]).toEqual([big.length + 12, 'the question']);
  });

  it('let a client continue to send after the other side has finished', async () => {
    const received = Promise.withResolvers<string>();
    const server = createTcpServer({ allowHalfOpen: true }, async (socket) => {
      socket.end('bye');
      let text = '';
      for await (const data of socket) text += data;
      received.resolve(text);
    });
    const port = await job.listen(server);
    const [local] = await job.attach('user', [`127.0.0.1:${port}`]);
    const socket = connect({ port: local!, host: '127.0.0.1', allowHalfOpen: true });
    socket.resume();
    await once(socket, 'end');
    socket.end('still here');
    expect(await received.promise).toBe('still here');
  });

  it('end if nothing listens, and keep the connection', async () => {
    const [closed, local] = [await job.freePort(), 0];
    const [first] = await job.attach('user', [`127.0.0.1:${closed}`]);
    const socket = connect({ port: first!, host: '127.0.0.1' });
    socket.resume();
    await once(socket, 'close');
    const check = ['-F', '/dev/null', '-S', job.control, '-O', 'check', 'root@127.0.0.1'];
    expect((await job.run('ssh', check)).stderr).toContain('Master running');
    expect(local).toBe(0);
  });

  it('are not for the keys of the job itself', async () => {
    const port = await job.listen(createServer((_, response) => response.end('secret')));
    const [local, output] = await job.attach('job', [`127.0.0.1:${port}`, 'localhost:10999']);
    await expect(fetch(`http://127.0.0.1:${local}/`)).rejects.toThrow();
    await expect(readOutput(output).done).rejects.toThrow();
  });

  it('open one after the other over a shared connection', async () => {
    const port = await job.listen(createServer((_, response) => response.end('again')));
    await job.attach('user', ['localhost:10999']);
    const more = await job.freePort();
    const forward = ['-O', 'forward', '-L', `${more}:127.0.0.1:${port}`, 'root@127.0.0.1'];
    const { code } = await job.run('ssh', ['-F', '/dev/null', '-S', job.control, ...forward]);
    expect(code).toBe(0);
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => (await fetch(`http://127.0.0.1:${more}/`)).text()),
    );
    expect(new Set(answers)).toEqual(new Set(['again']));
  });
});
