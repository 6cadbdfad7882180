import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { AgentLease, HostShellKeys, ImagePlan, NoticeWatch } from '@dstack/contract/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createEventLogger } from '../host/log.ts';
import type { JobRegistry } from '../jobs/registry.ts';
import { type Answer, callAgent, jobSpec } from '../testing/agent-harness.ts';
import { AGENT_INFO } from '../testing/agent-info.ts';
import { ScriptedExecutor, scriptedRegistry } from '../testing/scripted-executor.ts';
import { TestStream } from '../testing/test-stream.ts';
import { VolumeDirectories } from '../volumes/volume-directories.ts';
import { AgentServer, type AgentServerOptions } from './http-server.ts';
import { CLOSE_REPLACED } from './stream-session.ts';

const TOKEN = 'a-token';
let dir: string;
let path: string;
let volumes: VolumeDirectories;
let executor: ScriptedExecutor;
let registry: JobRegistry;
let server: AgentServer;
let plans: ImagePlan[];
let shells: HostShellKeys[];
let leases: AgentLease[];
let watches: NoticeWatch[];
let presence: boolean[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'server-'));
  path = join(dir, 's');
  executor = new ScriptedExecutor();
  registry = scriptedRegistry(dir, executor);
  volumes = new VolumeDirectories({
    stateDir: dir,
    whyNoMounts: () => null,
    isMounted: () => false,
    devices: { unmount: async () => {} },
    log: createEventLogger(() => {}),
  });
  [plans, shells, leases, presence, watches] = [[], [], [], [], []];
  await serve({});
});
afterEach(async () => {
  server.close();
  await registry.close();
  rmSync(dir, { recursive: true });
});

async function serve(more: Partial<AgentServerOptions>): Promise<void> {
  server = new AgentServer({
    token: TOKEN,
    info: () => AGENT_INFO,
    health: () => null,
    registry,
    volumes,
    gateways: { put: () => {}, remove: async () => {}, dial: () => Promise.reject() },
    log: createEventLogger(() => {}),
    planImages: (plan) => void plans.push(plan),
    openShells: (keys) => void shells.push(keys),
    claim: () => true,
    notices: {
      watch: (watch) => void watches.push(watch),
      frame: { type: 'notice', reason: 'terminate', at: null, left_secs: 60 },
    },
    lease: { grant: (lease) => void leases.push(lease), renew: () => {} },
    onPresence: (present) => void presence.push(present),
    ...more,
  });
  server.http.listen(path);
  await once(server.http, 'listening');
}

function call(method: string, where: string, body?: unknown, token = TOKEN): Promise<Answer> {
  return callAgent(path, token, method, where, body);
}

async function put(more = {}): Promise<string> {
  const spec = jobSpec(['true'], more);
  await call('PUT', `/v1/jobs/${spec.id}`, spec);
  return spec.id;
}

async function phase(id: string, wanted: string): Promise<void> {
  await expect.poll(() => registry.state(id).phase).toBe(wanted);
}

/** Requests an upgrade, with bytes directly after the request. */
async function upgrade(where: string, behind = '', token = TOKEN): Promise<string> {
  const socket = connect(path);
  const head = ['Connection: Upgrade', 'Upgrade: tcp', `Authorization: Bearer ${token}`];
  socket.end(`GET ${where} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n${behind}`);
  return await text(socket);
}

describe('the commands of a server', () => {
  it('are answered with the facts of the agent', async () => {
    expect(await call('GET', '/v1/info')).toEqual({ status: 200, body: AGENT_INFO });
  });

  it.each([
    ['GET', '/v1/info'],
    ['PUT', '/v1/jobs/x'],
    ['GET', '/nowhere'],
  ])('are refused without the token: %s %s', async (method, where) => {
    const answer = await call(method, where, undefined, 'another');
    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
  });

  it('put, read, start, stop and delete a job', async () => {
    const cluster = {
      ...{ job_ips: ['10.0.0.1'], master_job_ip: '10.0.0.1', gpus_per_job: 0 },
      ...{ gpus_per_node: [0], host_keys: [] },
    };
    const spec = jobSpec(['true'], { hold: true });
    const where = `/v1/jobs/${spec.id}`;
    const missing = { archives: [], code: false };
    expect(await call('PUT', where, spec)).toMatchObject({ status: 200, body: { missing } });
    await phase(spec.id, 'held');
    expect(await call('PUT', where, spec)).toMatchObject({ body: { state: { phase: 'held' } } });
    const started = await call('POST', `${where}/start`, { cluster, commands: null });
    expect(started).toMatchObject({ status: 200, body: { id: spec.id } });
    await phase(spec.id, 'running');
    expect(await call('DELETE', where)).toMatchObject({ status: 409, body: { code: 'job_alive' } });
    const stop = { grace: true, reason: 'terminated_by_user', message: null };
    expect(await call('POST', `${where}/stop`, stop)).toMatchObject({
      body: { stop_stage: 'interrupt' },
    });
    executor.of(spec.id).exit(130);
    await phase(spec.id, 'exited');
    expect(await call('GET', where)).toMatchObject({
      body: { exit: { status: 130, reason: 'terminated_by_user' } },
    });
    expect(await call('DELETE', where)).toEqual({ status: 204, body: null });
    expect(await call('DELETE', where)).toEqual({ status: 204, body: null });
  });

  it('are refused with the place of the error', async () => {
    const spec = jobSpec(['true']);
    const bad = await call('PUT', `/v1/jobs/${spec.id}`, { ...spec, ports: [70_000] });
    expect(bad).toMatchObject({ status: 400, body: { code: 'bad_request' } });
    expect(bad.body.message).toContain('ports[0]');
    const other = await call('PUT', '/v1/jobs/another', spec);
    expect(other.body.message).toContain('id differs from the one in the path');
    expect(registry.jobs).toEqual([]);
  });

  it.each([
    ['GET', '/v1/jobs/11111111-1111-4111-8111-111111111111', 'unknown_job'],
    ['POST', '/v1/jobs/11111111-1111-4111-8111-111111111111/start/more', 'not_found'],
    ['GET', '/v2/info', 'not_found'],
    ['PATCH', '/v1/info', 'not_found'],
  ])('are answered 404 where there is nothing: %s %s', async (method, where, code) => {
    expect(await call(method, where)).toMatchObject({ status: 404, body: { code } });
  });

  it('are refused where their path is badly encoded', async () => {
    expect(await call('GET', '/v1/%ff')).toMatchObject({ status: 400 });
  });

  it('upload archives that the job has named, checked by their hashes', async () => {
    const hash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    const id = await put({ file_archives: [{ id: 'a', sha256: hash, path: 'x' }] });
    const where = `/v1/jobs/${id}/archives`;
    const wrong = await call('PUT', `${where}/a`, Buffer.from('other'));
    expect(wrong).toMatchObject({ status: 400, body: { code: 'hash_mismatch' } });
    const unknown = await call('PUT', `${where}/b`, Buffer.alloc(0));
    expect(unknown).toMatchObject({ status: 404, body: { code: 'unknown_archive' } });
    expect(await call('PUT', `${where}/a`, Buffer.alloc(0))).toEqual({ status: 204, body: null });
    await phase(id, 'running');
  });

  it('plan images and open shells of the host', async () => {
    const policy = { disk_high_percent: 80, unused_for: null };
    const plan = { wanted: [{ image: 'busybox', auth: null }], policy };
    expect((await call('PUT', '/v1/images', plan)).status).toBe(204);
    expect(plans).toEqual([plan]);
    const keys = { keys: [{ user: 'alice', key: 'ssh-ed25519 AAAA' }], valid_for: 60 };
    expect((await call('PUT', '/v1/host-shell', keys)).status).toBe(204);
    expect(shells).toEqual([keys]);
    const lease = { seconds: 7200, ending: 'exit' };
    expect((await call('PUT', '/v1/lease', lease)).status).toBe(204);
    expect(leases).toEqual([lease]);
    expect((await call('PUT', '/v1/notice-watch', { sources: [] })).status).toBe(204);
    expect(watches).toEqual([{ sources: [] }]);
  });

  it('are answered 404 by an agent that opens no shells', async () => {
    server.close();
    await serve({ openShells: null });
    const answer = await call('PUT', '/v1/host-shell', { keys: [], valid_for: 60 });
    expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });
});

describe('an upgraded connection', () => {
  it('leads to a port of a job', async () => {
    const id = await put();
    await phase(id, 'running');
    const answer = upgrade(`/v1/jobs/${id}/ports/80`, 'question');
    await expect.poll(() => executor.of(id).dialled.length).toBe(1);
    const [job] = executor.of(id).dialled;
    if (!job) return expect.unreachable();
    expect(await text(job)).toBe('question');
    job.end('answer');
    expect(await answer).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n.*\r\n\r\nanswer$/s);
  });

  it.each([
    ['/v1/jobs/11111111-1111-4111-8111-111111111111/ports/80', TOKEN, 404, 'unknown_job'],
    ['/v1/jobs/11111111-1111-4111-8111-111111111111/tunnels/x', TOKEN, 404, 'unknown_job'],
    ['/v1/elsewhere', TOKEN, 404, 'not_found'],
    ['/v1/stream/x', TOKEN, 404, 'not_found'],
    ['/v1/stream', 'another', 401, 'unauthorized'],
  ])('to %s with the token %s is refused', async (where, token, status, code) => {
    const answer = await upgrade(where, '', token);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} .*"code":"${code}"`, 's'));
  });
});

describe('the stream of a server', () => {
  it('is replaced by a newer one, and the agent reports whether a server is connected', async () => {
    const first = await TestStream.open(path, TOKEN, 'server-1');
    expect(presence).toEqual([true]);
    const second = await TestStream.open(path, TOKEN, 'server-1');
    expect(await first.until(() => first.closeCode)).toBe(CLOSE_REPLACED);
    expect(server.session).not.toBeNull();
    await second.close();
    await expect.poll(() => server.session).toBeNull();
    expect(presence).toEqual([true, true, false]);
  });

  it('ends with the agent', async () => {
    const socket = new WebSocket(`ws+unix:${path}:/v1/stream`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    await once(socket, 'open');
    const closed = once(socket, 'close');
    server.close();
    const [code] = await closed;
    expect([1001, 1006]).toContain(code);
  });
});
