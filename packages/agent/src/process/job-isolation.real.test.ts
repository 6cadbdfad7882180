import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SERVER_SOCKET, socketUrl } from '@dstack/contract/agent';
import { jobNode } from '@dstack/testkit/job-programs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { processesByUser } from '../host/process-users.ts';
import { jobSpec } from '../testing/agent-harness.ts';
import { canIsolate, IsolatedJobs } from '../testing/isolated-jobs.ts';

const LASTS = ['echo ready', 'sleep 100000'];

describe.skipIf(!canIsolate)('a process job with a user of its own', () => {
  let jobs: IsolatedJobs;
  beforeEach(async () => {
    jobs = await IsolatedJobs.start();
  });
  afterEach(() => jobs.close());

  async function restart(users: number, env: NodeJS.ProcessEnv = {}): Promise<void> {
    await jobs.close();
    jobs = await IsolatedJobs.start(users, env);
  }

  it('is that user in every way, with a name, a home and a directory', async () => {
    const { text, state } = await jobs.run([
      ...['id -u', 'id -un', 'id -gn', 'id -G', 'whoami', 'pwd', 'echo $HOME', 'cd; pwd'],
      ...['touch ~/x ./y /tmp/z /var/tmp/z /dev/shm/z && stat -c %u ~/x', 'echo ok > /dev/stderr'],
      ...['tty', 'grep -c . /etc/passwd', 'ls /proc/self/fd | tr "\\n" " "'],
    ]);
    const lines = text.split('\n');
    const home = lines[6] ?? '';
    expect(lines.slice(0, 5)).toEqual([
      ...[
        String(jobs.first),
        `dstack-${jobs.first}`,
        `dstack-${jobs.first}`,
        String(jobs.first),
        `dstack-${jobs.first}`,
      ],
    ]);
    expect(home).toMatch(new RegExp(`^${jobs.homes}/[0-9a-f]{12}/home$`));
    expect(lines[5]).toBe(home.replace(/home$/, 'work'));
    expect(lines.slice(7, 10)).toEqual([home, String(jobs.first), 'ok']);
    expect(lines[10]).toMatch(/^\/dev\/pts\/\d+$/);
    expect(Number(lines[11])).toBeGreaterThan(5);
    expect(lines[12]?.trim()).toBe('0 1 2 3');
    expect(state).toMatchObject({ username: `dstack-${jobs.first}`, exit: { status: 0 } });
  });

  it('reads nothing of the agent or of other jobs', async () => {
    const other = await jobs.begin(
      ['echo mine > ~/file; echo mine > /tmp/file; chmod 644 ~/file', ...LASTS],
      { env: { SECRET_OF_OTHER: 'hidden' } },
    );
    const area = readdirSync(jobs.homes).map((name) => join(jobs.homes, name))[0];
    const [pid] = processesByUser().get(jobs.first) ?? [];
    const { text } = await jobs.run(
      [
        `cat ${jobs.agent.state}/token`,
        `ls ${jobs.agent.state} ${jobs.agent.state}/jobs ${jobs.agent.state}/jobs/${other.id}`,
        `cat ${jobs.agent.state}/jobs/${other.id}/record.json ${jobs.agent.state}/jobs/${other.id}/spool/*`,
        `cat /proc/${jobs.agent.pid}/environ /proc/${pid}/environ /proc/${pid}/cmdline`,
        `ls ${area} ${area}/home; cat ${area}/home/file /tmp/file; ls ${jobs.homes} ${jobs.base}/uids`,
        `kill -9 ${pid} ${jobs.agent.pid}`,
        `ls /proc/${pid}/root/ /proc/${jobs.agent.pid}/cwd/`,
        'ps ax -o uid= 2>/dev/null | sort -u || true',
      ].map((line) => `{ ${line}; } 2>&1 || true`),
    );
    expect(text).not.toMatch(/hidden|mine|"spec"|ready/);
    expect(text).not.toContain(jobs.agent.token);
    expect(text).not.toContain('jobs.agent.lock');
    expect(
      text.match(/Permission denied|No such file|No such process|not permitted/gi)?.length,
    ).toBeGreaterThan(12);
    expect(jobs.stream.state(other.id)?.phase).toBe('running');
  });

  it('cannot become another user', async () => {
    const { text } = await jobs.run([
      'grep -E "^(CapEff|CapPrm|NoNewPrivs)" /proc/self/status',
      'mount -t tmpfs x /mnt 2>&1 || true; chown 0 ~ 2>&1 || true; su -c id 2>&1 </dev/null || true',
      'echo x > /etc/passwd || true; ls -l /etc/passwd',
    ]);
    expect(text).toMatch(/CapEff:\s+0+\n/);
    expect(text).toMatch(/NoNewPrivs:\s+1\n/);
    expect(text).not.toContain('uid=0');
    expect(readFileSync('/etc/passwd', 'utf8')).not.toContain('dstack-');
  });

  it('has a user that no living job has, also after the agent was killed', async () => {
    const first = await jobs.begin();
    await jobs.restartAfterKill();
    const second = await jobs.begin();
    const users = [first, second].map(({ id }) => jobs.stream.state(id)?.username);
    expect(users).toEqual([`dstack-${jobs.first}`, `dstack-${jobs.first + 1}`]);
    await jobs.stopAndRemove(first.id);
    const { state } = await jobs.run(['true']);
    expect(state.username).toBe(`dstack-${jobs.first + 2}`);
  });

  it('keeps its user and runs once when the agent dies while it starts', async () => {
    const specs = Array.from({ length: 5 }, (_, job) =>
      jobSpec([`echo "started${job} as $(id -u)"; ls -A ~ /tmp | tr '\\n' ' '`]),
    );
    const claims = () => list(join(jobs.base, 'uids')).filter((name) => /^\d/.test(name)).length;
    for (const [job, spec] of specs.entries()) {
      const reached = [
        () => true,
        () => claims() > job,
        () => list(jobs.homes).length > job,
        () => list(join(jobs.agent.state, 'jobs', spec.id)).includes('spool'),
        () => list(join(jobs.agent.state, 'jobs', spec.id)).includes('supervisor.json'),
      ];
      const put = jobs.agent.put(spec).catch(() => null);
      await vi.waitUntil(() => reached[job]?.(), { timeout: 20_000, interval: 1 });
      await jobs.agent.end('SIGKILL');
      await put;
      await jobs.agent.start();
      await jobs.agent.put(spec);
    }
    await jobs.connect();
    const users = new Set<string>();
    for (const [job, spec] of specs.entries()) {
      const { state, text } = await jobs.stream.whole(spec.id);
      expect(state.exit).toMatchObject({ status: 0 });
      const started = [...text.matchAll(/started(\d) as (\d+)/g)];
      expect(started.map((each) => each[1])).toEqual([String(job)]);
      users.add(started[0]?.[2] ?? '');
    }
    expect(users.size).toBe(5);
    expect(claims()).toBe(5);
  });

  it('leaves nothing behind: no process, no file, no user', async () => {
    const spec = await jobs.begin([
      'setsid sh -c "trap \'\' TERM HUP INT; env -i sleep 100000" > /dev/null 2>&1 &',
      'touch /tmp/x /var/tmp/x /dev/shm/x ~/x; ipcmk -M 4096 > /dev/null',
      ...LASTS,
    ]);
    expect(processesByUser().get(jobs.first)?.length).toBeGreaterThan(1);
    await jobs.stopAndRemove(spec.id);
    expect(processesByUser().get(jobs.first)).toBeUndefined();
    expect(existsSync(jobs.homes)).toBe(false);
    expect(readdirSync(join(jobs.base, 'uids')).sort()).toEqual(['last', 'lock']);
    const owned = ['/tmp', '/var/tmp', '/dev/shm', '/run/lock'].flatMap((dir) =>
      readdirSync(dir).filter((name) => uidOf(join(dir, name)) === jobs.first),
    );
    expect(owned).toEqual([]);
    expect(execFileSync('ipcs', ['-m']).toString()).not.toContain(String(jobs.first));
  });

  it('gets neither the environment of the agent nor what it names a setting', async () => {
    const env = { DSTACK_SERVER_ADMIN_TOKEN: 'hidden', NVIDIA_API_KEY: 'hidden', NVIDIA_TF32: '1' };
    await restart(1, env);
    const { text } = await jobs.run(['env']);
    expect(text).toContain('NVIDIA_TF32=1');
    expect(text).not.toContain('hidden');
  });

  it('reaches its server by a socket of its own, after the death of the agent too', async () => {
    const program =
      "require('net').connect(decodeURIComponent(process.argv[1].slice(12)))" +
      ".on('connect', () => process.exit()).on('error', ({ code }) => console.log(code))";
    const dial = (url: string) => `${jobNode()} -e "${program}" "${url}"`;
    const spec = await jobs.begin(
      [
        'echo "url=$DSTACK_SERVER_URL="; echo ready',
        `while ${dial('$DSTACK_SERVER_URL')}; do echo in; sleep 0.1; done`,
      ],
      { env: { DSTACK_SERVER_URL: socketUrl(SERVER_SOCKET) }, server_access: true },
    );
    const [, url = ''] = /url=(.*)=/.exec(jobs.stream.text(spec.id)) ?? [];
    await jobs.stream.until(() => /^in/m.test(jobs.stream.text(spec.id)));
    expect((await jobs.run([dial(url)])).text).toBe('EACCES\n');
    await jobs.restartAfterKill();
    const seen = jobs.stream.text(spec.id).length;
    await jobs.stream.until(() => /^in/m.test(jobs.stream.text(spec.id).slice(seen)));
    await jobs.stopAndRemove(spec.id);
    expect(existsSync(decodeURIComponent(url.slice(12)))).toBe(false);
  });

  it('gets what is meant for its port, and no other job that has taken it', async () => {
    const port = 20_000 + (jobs.first % 10_000);
    const listen = `exec ${jobNode()} -e 'require("net").createServer((s)=>s.end("taken")).listen(${port},"0.0.0.0",()=>console.log("ready"))'`;
    const taker = await jobs.begin([listen]);
    const waits = await jobs.begin();
    expect(await connectTo(jobs, taker.id, port)).toBe('taken');
    expect(await connectTo(jobs, waits.id, port)).toMatch(/502.*not of the job/);
  });

  it('is refused if no user is left, with a message that names the setting', async () => {
    await restart(1);
    await jobs.begin();
    const { state } = await jobs.run(['true']);
    expect(state.exit?.message).toContain('DSTACK_LOCAL_UIDS');
  });

  it('is refused a directory to work in that is not its own', async () => {
    const { state, text } = await jobs.run(['echo ran'], { working_dir: '/root' });
    expect(text).not.toContain('ran');
    expect(state.exit?.status).not.toBe(0);
  });

  it('obeys stops as ever: Ctrl-C first, then the rest', async () => {
    const spec = await jobs.begin([
      `sh -c "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.1; done"`,
    ]);
    await jobs.agent.stop(spec.id, true);
    const { state, text } = await jobs.stream.whole(spec.id);
    expect(text).toContain('caught');
    expect(state).toMatchObject({ stop_stage: 'interrupt', exit: { status: 7 } });
    const deaf = await jobs.begin(
      ["trap '' INT TERM HUP; echo ready; while :; do sleep 0.1; done"],
      { stop_duration: 0.6, stop_duration_set: true },
    );
    await jobs.agent.stop(deaf.id, true);
    expect((await jobs.stream.whole(deaf.id)).state.exit).toMatchObject({ status: 137 });
  });

  it('reports what it uses', async () => {
    const spec = await jobs.begin([
      'head -c 30000000 /dev/zero | tail > /dev/null & true',
      ...LASTS,
    ]);
    const point = await jobs.stream.until(() =>
      jobs.stream.frames.find((each) => each.type === 'metrics' && each.id === spec.id),
    );
    expect(point).toMatchObject({ metrics: { memory_usage_bytes: expect.any(Number) } });
  });
});

/** The first bytes that a port of a job sends, or the refusal of the agent. */
function connectTo({ agent }: IsolatedJobs, id: string, port: number): Promise<string> {
  const headers = { authorization: `Bearer ${agent.token}`, connection: 'Upgrade', upgrade: 'tcp' };
  const path = `/v1/jobs/${id}/ports/${port}`;
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: agent.socket, path, headers });
    outgoing.on('upgrade', (_response, socket, head) => {
      // Bytes that arrived together with the response's head.
      socket.unshift(head);
      resolve(text(socket));
    });
    outgoing.on('response', (response) => {
      void text(response).then((body) => resolve(`${response.statusCode} ${body}`));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

function uidOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.uid ?? null;
}

function list(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir) : [];
}
