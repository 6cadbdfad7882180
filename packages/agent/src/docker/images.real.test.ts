import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { layerOf, TestRegistry } from '@dstack/testkit/registry';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentHarness, jobSpec } from '../testing/agent-harness.ts';
import type { TestStream } from '../testing/test-stream.ts';

const missing = dockerMissing();
if (missing) console.warn(`images of the host are NOT tested: ${missing} is missing`);

const HOUR_MS = 3600_000;
const NEVER = { disk_high_percent: null, unused_for: null };

describe.skipIf(missing !== null)('images of a host', () => {
  let engine: TestDocker;
  let registry: TestRegistry;
  let agent: AgentHarness;
  let stream: TestStream;
  beforeAll(async () => {
    engine = await startDocker();
    registry = await TestRegistry.start({ networkOf: engine.pid, access: 'basic' });
    await engine.busybox('busybox:test');
    const shell = engine.busyboxTar();
    for (const name of ['one:1', 'two:1', 'three:1', 'slow:1']) {
      const layers = [shell, layerOf(`marks/${name}`, randomBytes(200_000))];
      registry.add(name, { layers, listed: name === 'two:1' });
    }
  });
  afterAll(async () => {
    await registry.close();
    await engine.close();
  });
  beforeEach(async () => {
    agent = new AgentHarness(['--executor', 'docker'], { DOCKER_HOST: engine.host });
    await agent.start();
    stream = await agent.connect();
  });
  afterEach(async () => {
    registry.hold(false);
    await stream.close();
    await agent.dispose();
    for (const { Id } of await engine.docker.listContainers({ all: true })) {
      await engine.docker.getContainer(Id).remove({ force: true });
    }
    for (const name of (await present()).filter((each) => each !== 'busybox:test')) {
      await engine.docker.getImage(name).remove({ force: true });
    }
  });

  const auth = { username: 'user', password: 'secret' };
  const at = (name: string) => `${registry.host}/${name}`;
  const jobWith = (name: string, script = 'true') => {
    const commands = ['/bin/sh', '-c', script];
    return jobSpec([], {
      shell_commands: null,
      image_name: at(name),
      commands,
      registry_auth: auth,
    });
  };
  async function present(): Promise<string[]> {
    const images = await engine.docker.listImages();
    const names = images.flatMap(({ RepoTags }) => RepoTags ?? []);
    // An image loses its name first while it is removed.
    return names.filter((name) => name !== '<none>:<none>').sort();
  }
  async function ran(name: string): Promise<void> {
    const spec = jobWith(name);
    await agent.put(spec);
    expect((await stream.whole(spec.id)).state.exit).toMatchObject({ status: 0 });
    await agent.call('DELETE', `/v1/jobs/${spec.id}`);
  }
  const plan = async (wanted: readonly string[], policy: object) => {
    const images = wanted.map((name) => ({ image: at(name), auth }));
    expect((await agent.call('PUT', '/v1/images', { wanted: images, policy })).status).toBe(204);
  };
  /** Sets the last use of images to a time long ago. */
  async function age(hours: Readonly<Record<string, number>>): Promise<void> {
    await stream.close();
    await agent.end('SIGTERM');
    const path = join(agent.state, 'pulled-images.json');
    const ledger = JSON.parse(readFileSync(path, 'utf8'));
    for (const [name, age] of Object.entries(hours)) {
      ledger[at(name)].lastUsed = Date.now() - age * HOUR_MS;
    }
    writeFileSync(path, JSON.stringify(ledger));
    await agent.start();
    stream = await agent.connect();
  }

  it('are pulled with the credentials of the run, and progress is reported meanwhile', async () => {
    registry.hold(true);
    const spec = jobWith('slow:1');
    await agent.put(spec);
    const pulls = () => stream.frames.flatMap((each) => (each.type === 'pull' ? [each] : []));
    const half = await stream.until(() =>
      pulls().find(({ progress }) => progress.downloaded_bytes > 0),
    );
    expect(half.progress.downloaded_bytes).toBeLessThan(half.progress.total_bytes);
    expect(stream.state(spec.id)?.phase).toBe('pulling');
    registry.hold(false);
    expect((await stream.whole(spec.id)).state.exit).toMatchObject({ status: 0 });
    const last = pulls().at(-1)?.progress;
    expect(last?.extracted_bytes).toBe(last?.total_bytes);
  });

  it('are fetched ahead, and a job that needs one starts without the registry', async () => {
    await plan(['one:1', 'two:1'], NEVER);
    await vi.waitUntil(async () => (await present()).includes(at('two:1')), { timeout: 20_000 });
    expect(await present()).toContain(at('one:1'));
    const before = registry.requests.length;
    await ran('two:1');
    expect(registry.requests).toHaveLength(before);
  });

  it('are removed when they were unused for the time that the server sets', async () => {
    for (const name of ['one:1', 'two:1', 'three:1']) await ran(name);
    await age({ 'one:1': 30, 'two:1': 20, 'three:1': 30 });
    const busy = jobWith('three:1', 'sleep 1000');
    await agent.put(busy);
    await stream.until(() => stream.state(busy.id)?.phase === 'running');
    await plan([], { disk_high_percent: null, unused_for: 24 * 3600 });
    await vi.waitUntil(async () => !(await present()).includes(at('one:1')), { timeout: 20_000 });
    expect(await present()).toEqual([at('three:1'), at('two:1'), 'busybox:test'].sort());
  });

  it('are removed when the disk fills up, the longest unused first, except wanted ones', async () => {
    for (const name of ['one:1', 'two:1', 'three:1']) await ran(name);
    await age({ 'one:1': 3, 'two:1': 2 });
    await plan(['one:1'], { disk_high_percent: 0, unused_for: null });
    await vi.waitUntil(async () => !(await present()).includes(at('two:1')), { timeout: 20_000 });
    // The third was used a moment ago.
    expect(await present()).toEqual([at('one:1'), at('three:1'), 'busybox:test'].sort());
  });

  it('stay if another program has pulled them', async () => {
    await engine.docker.getImage('busybox:test').tag({ repo: at('own'), tag: '1' });
    const spec = jobWith('own:1');
    await agent.put(spec);
    await stream.whole(spec.id);
    await ran('one:1');
    await age({ 'one:1': 30 });
    await plan([], { disk_high_percent: 0, unused_for: 0 });
    await vi.waitUntil(async () => !(await present()).includes(at('one:1')), { timeout: 20_000 });
    expect(await present()).toContain(at('own:1'));
  });

  it('are not removed by an invalid plan', async () => {
    const answer = await agent.call('PUT', '/v1/images', { wanted: [{}], policy: NEVER });
    expect(answer).toMatchObject({ status: 400, body: { code: 'bad_request' } });
  });
});
