import { chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentHarness, jobSpec } from './testing/agent-harness.ts';

let agent: AgentHarness;
let folder = '';
beforeEach(() => {
  agent = new AgentHarness(undefined, undefined, undefined, undefined, 'run/agent.sock');
  folder = dirname(agent.socket);
});
afterEach(() => agent.dispose());

describe('the folder of the socket', () => {
  it('is removed when the agent has ended, and is made by the next one', async () => {
    await agent.start();
    expect(existsSync(folder)).toBe(true);
    await agent.end('SIGTERM');
    expect(existsSync(folder)).toBe(false);
    await agent.start();
    expect(await agent.call('GET', '/v1/info')).toMatchObject({ status: 200 });
  });

  it('stays with files that others have put into it', async () => {
    await agent.start();
    writeFileSync(join(folder, 'note'), 'mine');
    await agent.end('SIGTERM');
    expect(existsSync(join(folder, 'note'))).toBe(true);
    expect(existsSync(agent.socket)).toBe(false);
  });

  it('stays while a job lives, and the next agent adopts the job', async () => {
    await agent.start();
    const stream = await agent.connect();
    const spec = jobSpec(['sleep 600']);
    await agent.put(spec);
    await stream.until(() => stream.state(spec.id)?.phase === 'running');
    await stream.close();
    await agent.end('SIGTERM');
    expect(existsSync(folder)).toBe(true);
    await agent.start();
    expect((await agent.put(spec)).body.state).toMatchObject({ phase: 'running' });
  });

  it.runIf(process.getuid?.() === 0)('is not used if it belongs to another user', async () => {
    mkdirSync(folder);
    chownSync(folder, 65534, 65534);
    await expect(agent.start()).rejects.toThrow('belongs to another user');
    expect(existsSync(folder)).toBe(true);
  });
});
