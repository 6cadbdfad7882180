import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyFleet, configuration, isRunning, newInstallation, untilRun } from './installation.ts';
import { freePort } from './serving.ts';
import { httpOver, throughSocks } from './socks.ts';

const noSsh = existsSync('/usr/bin/ssh') ? null : 'ssh';
const kinds = [
  { executor: 'process', missing: noSsh },
  { executor: 'docker', missing: noSsh ?? dockerMissing() },
] as const;
for (const { executor, missing } of kinds) {
  if (missing) console.warn(`Editors over SSH (${executor}) are NOT tested: ${missing} is missing`);
}

/** A commit, by which editors identify the version of their server. */
const COMMIT = '0123456789abcdef0123456789abcdef01234567';

/**
 * The steps by which an editor of the VS Code family opens a remote host: it pipes a script to a
 * shell without a terminal, installs and starts its server there, reads the port from the output,
 * and connects to it through the SOCKS proxy of the same connection.
 */
describe.each(kinds)('an editor that opens a dev environment ($executor)', (kind) => {
  if (kind.missing) {
    it.skip(`needs ${kind.missing}`);
    return;
  }
  const IMAGE = 'busybox:test';
  let engine: TestDocker | undefined;
  let home: Installation;
  let attached: ChildProcess;
  const opened: ChildProcess[] = [];

  beforeAll(async () => {
    const env: NodeJS.ProcessEnv = { DSTACK_LOCAL_EXECUTOR: kind.executor };
    if (kind.executor === 'docker') {
      engine = await startDocker();
      await engine.busybox(IMAGE);
      env.DOCKER_HOST = engine.host;
    }
    home = newInstallation(env);
    await home.startServer();
    await applyFleet(home);
    const image = engine ? `image: ${IMAGE}\n` : '';
    const yaml = `type: dev-environment\nname: lab\nide: vscode\n${image}resources:\n  gpu: 0\n`;
    await home.ok('apply', '-f', configuration(home, 'lab.dstack.yml', yaml), '-y', '-d');
    await untilRun(home, 'lab', isRunning);
    attached = home.spawn(['attach', 'lab']);
    await printed(attached, /Press Ctrl\+C/);
    // The editor's server: `bin/<name>`, with a web page in place of the editor's protocol.
    const server = join(home.home, 'server', 'bin');
    mkdirSync(server, { recursive: true });
    writeFileSync(join(home.home, 'server', 'page.html'), 'the editor’s server\n');
    writeFileSync(join(server, 'code-server'), SERVER, { mode: 0o755 });
    execFileSync('tar', ['-czf', 'server.tgz', 'server'], { cwd: home.home });
  });
  afterAll(async () => {
    for (const child of [...opened, attached]) child?.kill('SIGKILL');
    await home?.dispose();
    await engine?.close();
  });

  /** `ssh` with the options of such editors, which must take precedence over those of users. */
  function ssh(options: string[], ...command: string[]): ChildProcess {
    const config = join(home.home, '.ssh', 'config');
    const usual = ['-F', config, '-T', '-o', 'RemoteCommand=none', '-o', 'ConnectTimeout=15'];
    const child = spawn('ssh', [...usual, ...options, 'lab', ...command], { env: home.env });
    opened.push(child);
    return child;
  }

  async function open(options: string[]) {
    const child = ssh(options, 'sh');
    child.stdin?.write(BOOTSTRAP);
    const [, port = '', directory] = await printed(child, /listeningOn==(\d+)==dir==(\S*)==end==/);
    return { child, port: Number(port), directory };
  }

  it('finds shell, system and a home it can write to', async () => {
    const child = ssh([], 'sh');
    child.stdin?.end(
      'echo "$SHELL|$(uname -s)|$(uname -m)|$DSTACK_RUN_NAME"; touch ~/.probe && mktemp -d && exit 3\n',
    );
    const [, line] = await printed(child, /^(.*Linux.*)$/m);
    expect(line).toMatch(/^\/\S+\|Linux\|(x86_64|aarch64)\|lab$/);
    const [code] = await ended(child);
    expect(code).toBe(3);
  });

  it('installs its server, starts it, and connects to it by SOCKS, over many channels at once', async () => {
    const upload = ssh([], `mkdir -p ~/.vscode-server/bin && cat > ~/.vscode-server/${COMMIT}.tgz`);
    const { readFileSync } = await import('node:fs');
    upload.stdin?.end(readFileSync(join(home.home, 'server.tgz')));
    expect((await ended(upload))[0]).toBe(0);
    const proxy = await freePort();
    const { child, port } = await open(['-D', String(proxy)]);
    const pages = Array.from({ length: 20 }, async () =>
      httpOver(await throughSocks(proxy, port), '/page.html'),
    );
    for (const page of await Promise.all(pages)) expect(page).toContain('the editor’s server');
    // The window is closed.
    child.kill('SIGKILL');
    await ended(child);
  });

  it('finds its server still running when it reconnects, this time by -L', async () => {
    const local = await freePort();
    const first = await open([]);
    const forward = ['-L', `127.0.0.1:${local}:127.0.0.1:${first.port}`];
    const second = await open(forward);
    expect(second.port).toBe(first.port);
    const response = await fetch(`http://127.0.0.1:${local}/page.html`);
    expect(await response.text()).toContain('the editor’s server');
    // Other sessions come and go meanwhile.
    const other = ssh([], 'echo "$DSTACK_RUN_NAME"; pwd');
    await printed(other, /lab/);
    expect((await ended(other))[0]).toBe(0);
    for (const { child } of [first, second]) {
      child.stdin?.end();
      await ended(child);
    }
  });

  it('copies files like its users do by drag and drop', async () => {
    const config = join(home.home, '.ssh', 'config');
    const options = ['-F', config, '-q', join(home.home, 'server.tgz'), 'lab:/tmp/dropped.tgz'];
    const scp = spawn('scp', options, { env: home.env, stdio: ['ignore', 'pipe', 'pipe'] });
    expect((await ended(scp))[0]).toBe(0);
    const list = ssh([], 'tar -tzf /tmp/dropped.tgz; rm /tmp/dropped.tgz');
    await printed(list, /server\/page\.html/);
  });

  it('is opened by a link', async () => {
    const run = JSON.parse(await home.ok('run', 'get', 'lab', '--json'));
    const { attached_ide_url: url, ide_name: name } = run.jobs[0].job_connection_info;
    expect(name).toBe('VS Code');
    expect(url).toMatch(/^vscode:\/\/vscode-remote\/ssh-remote\+lab\/\S*$/);
    const pwd = ssh([], 'pwd');
    const [, directory] = await printed(pwd, /^(\/\S*)$/m);
    expect(url.endsWith(`+lab${directory}`)).toBe(true);
  });
});

/** Serves its folder on a loopback port chosen by the system, or on a given one, and prints it. */
const SERVER = `#!/bin/sh
cd "$(dirname "$0")/.."
if command -v python3 > /dev/null; then
  exec python3 -u -m http.server --bind 127.0.0.1 0
fi
httpd -f -p 127.0.0.1:34567 -h . &
echo "Serving HTTP on 127.0.0.1 port 34567 (http://127.0.0.1:34567/) ..."
wait
`;

/** Installs, starts or finds the server; stays as long as the connection does. */
const BOOTSTRAP = `
set -e
data="$HOME/.vscode-server"
dir="$data/bin/${COMMIT}"
log="$data/.${COMMIT}.log"
pidfile="$data/.${COMMIT}.pid"
mkdir -p "$data/bin"
if [ ! -f "$dir/bin/code-server" ]; then
  mkdir -p "$dir"
  tmp=$(mktemp -d)
  tar -xzf "$data/${COMMIT}.tgz" -C "$tmp"
  mv "$tmp/server/"* "$dir/"
fi
if ! { [ -f "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2> /dev/null; }; then
  : > "$log"
  "$dir/bin/code-server" > "$log" 2>&1 < /dev/null &
  echo $! > "$pidfile"
fi
port=
while [ -z "$port" ]; do
  port=$(sed -n 's/.*port \\([0-9][0-9]*\\).*/\\1/p' "$log")
  [ -n "$port" ] || sleep 0.1
done
echo "listeningOn==$port==dir==$dir==end=="
cat > /dev/null
`;

/** Waits until a child has printed something. */
function printed(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onData = (data: Buffer) => {
      text += data;
      const match = pattern.exec(text);
      if (match) resolve(match);
    };
    child.stdout?.on('data', onData);
    child.stderr?.on('data', onData);
    child.once('close', (code) => reject(new Error(`ended with ${code}: ${text}`)));
  });
}

async function ended(child: ChildProcess): Promise<[number | null]> {
  if (child.exitCode !== null || child.signalCode !== null) return [child.exitCode];
  child.stdout?.resume();
  return (await once(child, 'exit')) as [number | null];
}
