import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentRefusal } from '../../hosts/agent-client.ts';
import { type AgentClient, EXEC, PORT, SocketWorld } from '../testing/job-sockets.ts';
import { submitService } from '../testing/services.ts';

let world: SocketWorld;
beforeEach(async () => {
  world = await SocketWorld.start();
});
afterEach(() => world.stop());

describe('a command', () => {
  it('is passed on in both directions', async () => {
    const run = world.open();
    expect(await run.opened).toBe(101);
    const command = await world.agentSide();
    const heard: unknown[] = [];
    command.on('message', (data: Buffer, isBinary) => heard.push(isBinary ? data : String(data)));
    run.send({ type: 'start', argv: ['ls'] });
    run.socket.send(Buffer.from('\0input'));
    await vi.waitFor(() => expect(heard).toHaveLength(2));
    expect([JSON.parse(String(heard[0])).argv, String(heard[1])]).toEqual([['ls'], '\0input']);
    command.send('{"type":"started"}');
    command.send(Buffer.from('\x01out'));
    command.send(Buffer.from('\x02err'));
    command.send('{"type":"exit","status":3,"signal":null}');
    command.close();
    expect(await run.closed).toBe(1000);
    expect(run.texts.map(({ type }) => type)).toEqual(['started', 'exit']);
    expect(run.bytes.map(String)).toEqual(['\x01out', '\x02err']);
  });

  it('gets from a host only what the protocol allows', async () => {
    const run = world.open();
    await run.opened;
    const command = await world.agentSide();
    command.send('nonsense');
    command.send('{"type":"exit","status":"<b>"}');
    command.send('{"type":"newer"}');
    command.send(Buffer.from('\x07unknown channel'));
    command.send(Buffer.alloc(70_000, 1));
    command.send('{"type":"started","extra":1}');
    await vi.waitFor(() => expect(run.texts).toEqual([{ type: 'started' }]));
    expect(run.bytes).toEqual([]);
  });

  it('is not read faster than its client reads', async () => {
    const run = world.open();
    await run.opened;
    const command = await world.agentSide();
    run.socket.pause();
    const piece = Buffer.alloc(64 * 1024, 1);
    let acknowledged = 0;
    for (let i = 0; i < 600; i++) command.send(piece, () => (acknowledged += 1));
    let before = -1;
    await vi.waitFor(
      () => {
        const now = acknowledged;
        const isStill = now === before;
        before = now;
        expect(isStill).toBe(true);
      },
      { interval: 200, timeout: 10_000 },
    );
    expect(acknowledged).toBeLessThan(400);
    run.socket.resume();
    await vi.waitFor(() => expect(run.bytes).toHaveLength(600), {
      timeout: 15_000,
    });
  });

  it('ends with an error when the connection to its host is lost', async () => {
    const run = world.open();
    await run.opened;
    (await world.agentSide()).terminate();
    expect(await run.closed).toBe(1011);
    expect(run.texts).toMatchObject([{ type: 'error', code: 'connection_lost' }]);
  });

  it('ends when its client disconnects', async () => {
    const run = world.open();
    await run.opened;
    const command = await world.agentSide();
    const gone = once(command, 'close');
    run.socket.terminate();
    await gone;
  });

  it.each([
    ['text that is not JSON', '{'],
    ['a message of another form', '{"type":"resize","cols":-1,"rows":1}'],
    ['another channel', Buffer.from('\x01x')],
    ['no channel', Buffer.alloc(0)],
  ])('ends after %s', async (_what, message) => {
    const run = world.open();
    await run.opened;
    const command = await world.agentSide();
    const gone = once(command, 'close');
    run.socket.send(message);
    expect(await run.closed).toBe(1007);
    expect(run.texts).toMatchObject([{ type: 'error', code: 'bad_message' }]);
    await gone;
  });

  it('ends after a message that is too large', async () => {
    const run = world.open();
    await run.opened;
    await world.agentSide();
    run.socket.send(Buffer.alloc(1024 * 1024 + 1));
    expect(await run.closed).toBe(1009);
  });

  it('is answered with the reason if it cannot be started', async () => {
    const cases: [string, Partial<AgentClient> | null, number, string][] = [
      [`${EXEC}?job=1`, world.client, 4404, 'unknown_job'],
      [`${EXEC}?replica=x`, world.client, 4400, 'bad_request'],
      [EXEC, null, 4503, 'unreachable'],
    ];
    for (const [path, how, close, code] of cases) {
      world.client = how as AgentClient;
      const run = world.open(path);
      expect(await run.opened).toBe(101);
      expect([await run.closed, run.texts[0]?.code]).toEqual([close, code]);
    }
    const refusals: [AgentRefusal, number, string][] = [
      [new AgentRefusal(409, 'not_running', 'The job is held'), 4409, 'not_running'],
      [new AgentRefusal(404, 'not_found', 'Nothing exists at this path'), 4501, 'unsupported'],
    ];
    for (const [error, close, code] of refusals) {
      world.client = { openExec: () => Promise.reject(error) } as unknown as AgentClient;
      const run = world.open();
      expect([await run.closed, run.texts[0]?.code]).toEqual([close, code]);
    }
  });

  it('needs a running job', async () => {
    await submitService(world.server, 'waiting');
    const run = world.open('/api/project/main/runs/waiting/exec');
    expect(await run.closed).toBe(4409);
    expect(run.texts[0]?.message).toContain('is submitted');
  });
});

describe('a connection to a port', () => {
  it('carries bytes both ways', async () => {
    const port = world.open(PORT);
    await port.opened;
    const sent = Buffer.alloc(3_000_000, 'abc');
    for (let at = 0; at < sent.length; at += 500_000) {
      port.socket.send(sent.subarray(at, at + 500_000));
    }
    await vi.waitFor(() => expect(port.received.length).toBe(sent.length), { timeout: 10_000 });
    expect(port.received.equals(sent)).toBe(true);
  });

  it('ends with that of the job', async () => {
    const connected = once(world.echo, 'connection');
    const port = world.open(PORT);
    await port.opened;
    const [socket] = (await connected) as [Socket];
    socket.end();
    expect(await port.closed).toBe(1000);
  });

  it('closes that of the job', async () => {
    const connected = once(world.echo, 'connection');
    const port = world.open(PORT);
    await port.opened;
    const [socket] = (await connected) as [Socket];
    const gone = once(socket, 'close');
    port.socket.terminate();
    await gone;
  });

  it.each([
    ['?port=1', 4502, 'port_refused'],
    ['?port=0', 4400, 'bad_request'],
    ['?port=65536', 4400, 'bad_request'],
    ['?port=80a', 4400, 'bad_request'],
    ['', 4400, 'bad_request'],
  ])('is answered with the reason for %j', async (query, close, code) => {
    const port = world.open(`/api/project/main/runs/app/port${query}`);
    expect([await port.closed, port.texts[0]?.code]).toEqual([close, code]);
  });
});
