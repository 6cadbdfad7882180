import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { jobNode } from '@dstack/testkit/job-programs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentHarness, jobSpec } from '../testing/agent-harness.ts';
import type { TestStream } from '../testing/test-stream.ts';
import { JobPorts } from './job-ports.ts';

let agent: AgentHarness;
let stream: TestStream;
beforeEach(async () => {
  agent = new AgentHarness();
  await agent.start();
  stream = await agent.connect();
});
afterEach(async () => {
  await stream.close();
  await agent.dispose();
});

/** The connection, or the refusal. */
function open(id: string, port: number | string, token = agent.token): Promise<Duplex | string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath: agent.socket,
      path: `/v1/jobs/${id}/ports/${port}`,
      headers: { authorization: `Bearer ${token}`, connection: 'Upgrade', upgrade: 'tcp' },
    });
    outgoing.on('upgrade', (_response, socket) => resolve(socket));
    outgoing.on('response', (response: IncomingMessage) => {
      void text(response).then((body) => resolve(`${response.statusCode} ${body}`));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** Echoes what it receives in capitals, and then closes. */
const shouting = (where: string) =>
  `exec ${jobNode()} -e 'require("net").createServer({allowHalfOpen:true},(s)=>{let t="";s.on("data",(d)=>t+=d);s.on("end",()=>s.end(t.toUpperCase()))}).listen(+process.env.P,${where},()=>console.log("listens"))'`;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function startApp(port: number, where: string): Promise<string> {
  const spec = jobSpec([shouting(where)], { env: { P: String(port) } });
  await agent.put(spec);
  await stream.until(() => stream.text(spec.id).includes('listens'));
  return spec.id;
}

async function ask(id: string, port: number, words: string): Promise<string> {
  const connection = await open(id, port);
  if (typeof connection === 'string') return connection;
  connection.end(words);
  return await text(connection);
}

describe('a port of a job', () => {
  it('is reached through the agent, each direction ending for itself', async () => {
    const port = await freePort();
    const id = await startApp(port, '"127.0.0.1"');
    expect(await ask(id, port, 'hello')).toBe('HELLO');
    expect(await ask(id, port, 'a'.repeat(3_000_000))).toHaveLength(3_000_000);
  });

  it('is the same for several jobs of a machine, each at its own address', async () => {
    const port = await freePort();
    const own = 'process.env.DSTACK_LISTEN_ADDRESS';
    const ids = [await startApp(port, own), await startApp(port, own)];
    for (const id of ids) expect(await ask(id, port, 'hello')).toBe('HELLO');
    await agent.stop(ids[0] ?? '', false);
    await stream.until(() => stream.state(ids[0] ?? '')?.phase === 'exited');
    expect(await ask(ids[0] ?? '', port, 'hello')).toContain('not_running');
    expect(await ask(ids[1] ?? '', port, 'hello')).toBe('HELLO');
  });

  it('is refused if nothing listens, to strangers, and for invalid jobs and ports', async () => {
    const port = await freePort();
    const id = await startApp(port, '"127.0.0.1"');
    expect(await open(id, await freePort())).toMatch(/^502 .*port_refused/);
    expect(await open('nosuch', port)).toMatch(/^404 .*unknown_job/);
    expect(await open(id, '80x')).toMatch(/^400 /);
    expect(await open(id, port, 'wrong')).toMatch(/^401 /);
  });
});

describe('an address that does not answer', () => {
  it('is passed over, and not tried first again', async () => {
    const tried: string[] = [];
    const execution = {
      addresses: ['silent', 'localhost'],
      dial: (host: string) => {
        tried.push(host);
        const { promise, resolve } = Promise.withResolvers<Duplex>();
        if (host === 'localhost') resolve({} as Duplex);
        return promise;
      },
    };
    const ports = new JobPorts();
    await ports.dial(execution, 80);
    await ports.dial(execution, 80);
    expect(tried).toEqual(['silent', 'localhost', 'localhost']);
  });
});
