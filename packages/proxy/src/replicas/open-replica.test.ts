import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentRefusal, AgentUnreachable } from './agent-streams.ts';
import { openReplica } from './open-replica.ts';

let app: Server;
let port: number;
beforeAll(async () => {
  app = createServer((socket) => socket.end('straight')).listen(0, '127.0.0.1');
  await once(app, 'listening');
  port = (app.address() as AddressInfo).port;
});
afterAll(() => app.close());

/** An agent whose every connection identifies itself as the agent. */
function opener(ownAddress: string | null, isHere = true) {
  let asked = 0;
  const client = () => ({
    openPort: async () => {
      asked += 1;
      const stream = new PassThrough();
      stream.end('by the agent');
      return { stream, ownAddress };
    },
  });
  const open = openReplica({ client, isHere: () => isHere });
  const answerOf = async (jobId: string, at = port) => {
    let text = '';
    for await (const part of await open({
      hostId: 'local',
      jobId,
      port: at,
      runningAt: 0,
      isFailing: false,
    }))
      text += part;
    return text;
  };
  return { answerOf, asked: () => asked };
}

it('connects directly to a job on the same host, once its agent has reported where it is', async () => {
  const { answerOf, asked } = opener('127.0.0.1');
  const answers = await Promise.all(['a', 'a', 'a', 'b'].map((job) => answerOf(job)));
  expect(answers).toEqual(['straight', 'straight', 'straight', 'straight']);
  expect(await answerOf('a')).toBe('straight');
  expect(asked()).toBe(2);
});

it('does not wait long for a first connection that the agent does not answer', async () => {
  let asked = 0;
  const openPort = () => {
    asked += 1;
    const stream = new PassThrough();
    const answer = { stream, ownAddress: null };
    return asked === 1 ? new Promise<typeof answer>(() => {}) : Promise.resolve(answer);
  };
  const open = openReplica({ client: () => ({ openPort }), isHere: () => true });
  const replica = { hostId: 'local', jobId: 'a', port, runningAt: 0, isFailing: false };
  void open(replica);
  expect(await Promise.all([open(replica), open(replica)])).toHaveLength(2);
  expect(asked).toBe(3);
});

it('uses the agent again if nothing answers any more', async () => {
  const { answerOf, asked } = opener('127.255.255.254');
  for (let i = 0; i < 3; i++) expect(await answerOf('a', 1)).toBe('by the agent');
  expect(asked()).toBe(3);
});

it.each([
  ['a job without an address of its own', null, true],
  ['another machine', '127.0.0.1', false],
])('always uses the agent for %s', async (_what, address, isHere) => {
  const { answerOf } = opener(address, isHere);
  for (let i = 0; i < 3; i++) expect(await answerOf('a')).toBe('by the agent');
});

it('fails without a link', async () => {
  const open = openReplica({ client: () => null, isHere: () => true });
  await expect(
    open({ hostId: 'far', jobId: 'a', port, runningAt: 0, isFailing: false }),
  ).rejects.toThrow('no link to host far');
});

/** An agent that has reported the address once, and then answers like this. */
async function later(error: Error) {
  const clock = { now: 0 };
  let asked = 0;
  const openPort = async () => {
    asked += 1;
    if (asked > 1) throw error;
    return { stream: new PassThrough(), ownAddress: '127.0.0.1' };
  };
  const client = () => ({ openPort });
  const open = openReplica({ client, isHere: () => true, now: () => clock.now });
  const replica = { hostId: 'local', jobId: 'a', port, runningAt: 0, isFailing: false };
  const connection = async () => {
    let text = '';
    for await (const part of await open(replica)) text += part;
    return text;
  };
  expect([await connection(), await connection(), asked]).toEqual(['straight', 'straight', 1]);
  clock.now += 5000;
  return { connection, asked: () => asked };
}

it('has the agent check every five seconds that no other job has taken the address', async () => {
  const refusal = new AgentRefusal(502, 'port_refused', 'a process that is not of the job listens');
  const { connection, asked } = await later(refusal);
  await expect(connection()).rejects.toThrow(refusal);
  await expect(connection()).rejects.toThrow(refusal);
  expect(asked()).toBe(4);
});

it('connects directly while the agent cannot be asked', async () => {
  const { connection, asked } = await later(new AgentUnreachable('no answer'));
  expect([await connection(), await connection()]).toEqual(['straight', 'straight']);
  expect(asked()).toBe(2);
});
