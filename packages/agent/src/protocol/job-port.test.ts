import { duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../jobs/agent-error.ts';
import { listenAddress } from '../network/listen-address.ts';
import { joinJobPort, joinJobSsh, joinTunnel } from './job-port.ts';

const ID = '11111111-1111-4111-8111-111111111111';
const NOTHING = Buffer.alloc(0);

/** A client's connection to the agent, and the agent's connection to the job. */
function connections() {
  const [socket, client] = duplexPair();
  const [stream, job] = duplexPair();
  return { socket, client, stream, job };
}

describe('a connection to a port of a job', () => {
  it('carries bytes both ways, those that came with the request first', async () => {
    const { socket, client, stream, job } = connections();
    const registry = { dialPort: async () => ({ stream, address: 'localhost' }) };
    await joinJobPort(registry, { id: ID, port: '8000' }, socket, Buffer.from('early '));
    client.end('late');
    expect(await text(job)).toBe('early late');
    job.end('answer');
    expect(await text(client)).toBe(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nanswer',
    );
  });

  it('names the address of the job where that is the job’s own', async () => {
    const { socket, client, stream, job } = connections();
    const own = listenAddress(ID) ?? '';
    const registry = { dialPort: async () => ({ stream, address: own }) };
    await joinJobPort(registry, { id: ID, port: '8000' }, socket, NOTHING);
    job.end();
    client.end();
    expect(await text(client)).toContain(`\r\nDstack-Address: ${own}\r\n`);
  });

  it.each(['', '0', '65536', '-1', '1e3', '80a', ' 80'])(
    'is refused to port %j, and no job is asked',
    async (port) => {
      const { socket } = connections();
      const registry = { dialPort: () => expect.unreachable() };
      const refused = joinJobPort(registry, { id: ID, port }, socket, NOTHING);
      await expect(refused).rejects.toBeInstanceOf(AgentError);
      await expect(refused).rejects.toMatchObject({ status: 400, code: 'bad_request' });
    },
  );

  it('is closed if the client has disconnected meanwhile', async () => {
    const { socket, stream, job } = connections();
    const opened = Promise.withResolvers<{ stream: typeof stream; address: string }>();
    const joined = joinJobPort(
      { dialPort: () => opened.promise },
      { id: ID, port: '80' },
      socket,
      NOTHING,
    );
    socket.destroy();
    opened.resolve({ stream, address: 'localhost' });
    await joined;
    expect(stream.destroyed).toBe(true);
    job.destroy();
  });

  it('passes the refusal of the job on', async () => {
    const { socket } = connections();
    const refusal = new AgentError(409, 'not_running', 'The job is held');
    const joined = joinJobPort(
      { dialPort: () => Promise.reject(refusal) },
      { id: ID, port: '80' },
      socket,
      NOTHING,
    );
    await expect(joined).rejects.toBe(refusal);
  });
});

describe('a connection to the SSH server of a job', () => {
  it('carries bytes both ways', async () => {
    const { socket, client, stream, job } = connections();
    const dialled: string[] = [];
    const registry = {
      dialSsh: async (id: string) => {
        dialled.push(id);
        return stream;
      },
    };
    await joinJobSsh(registry, ID, socket, Buffer.from('SSH-2.0-user\r\n'));
    client.end();
    job.end('SSH-2.0-dstack\r\n');
    expect(dialled).toEqual([ID]);
    expect(await text(job)).toBe('SSH-2.0-user\r\n');
    expect(await text(client)).toMatch(/^HTTP\/1\.1 101 .*\r\n\r\nSSH-2\.0-dstack\r\n$/s);
  });
});

describe('a connection from a job to the server', () => {
  it('is the one that waits under its name', async () => {
    const { socket, client, stream, job } = connections();
    const taken: string[] = [];
    const registry = {
      takeTunnel: (id: string, tunnel: string) => {
        taken.push(id, tunnel);
        return stream;
      },
    };
    joinTunnel(registry, { id: ID, tunnel: 't' }, socket, Buffer.from('from the server'));
    client.end();
    job.end('from the job');
    expect(taken).toEqual([ID, 't']);
    expect(await text(job)).toBe('from the server');
    expect(await text(client)).toMatch(/^HTTP\/1\.1 101 .*\r\n\r\nfrom the job$/s);
  });

  it('is closed if the server has disconnected', () => {
    const { socket, stream } = connections();
    socket.destroy();
    joinTunnel({ takeTunnel: () => stream }, { id: ID, tunnel: 't' }, socket, NOTHING);
    expect(stream.destroyed).toBe(true);
  });
});
