import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it } from 'vitest';
import { AgentClient, AgentUnreachable } from './agent-client.ts';

it('an answer that is no JSON is a failed command, not the end of the server', async () => {
  const agent = createServer((_, response) => response.end('{"half": ')).listen(0, '127.0.0.1');
  await once(agent, 'listening');
  const { port } = agent.address() as AddressInfo;
  const client = new AgentClient({ dial: () => connect(port, '127.0.0.1'), token: 't' });
  await expect(client.info()).rejects.toBeInstanceOf(AgentUnreachable);
  client.close();
  agent.close();
});
