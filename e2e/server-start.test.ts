import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Installation } from '@dstack/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  applyFleet,
  isFinished,
  isRunning,
  newInstallation,
  sharedFolder,
  submit,
  untilRun,
} from './installation.ts';
import { Terminal } from './terminal.ts';

const dstack = resolve(import.meta.dirname, '..', 'bin', 'dstack');

describe('starting the server', () => {
  const homes: Installation[] = [];
  afterEach(async () => {
    for (const home of homes.splice(0)) await home.dispose();
  });

  function newHome(env: NodeJS.ProcessEnv = {}): Installation {
    const home = newInstallation(env);
    homes.push(home);
    return home;
  }

  /** The output of a server that cannot start, and its exit code. */
  async function refusal(home: Installation, ...args: string[]) {
    const { code, stdout, stderr } = await home.dstack(['server', '--port', '0', '-y', ...args]);
    expect(stdout).toBe('');
    expect(stderr.match(/^error: /gm)).toHaveLength(1);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(code).toBe(1);
    return stderr;
  }

  /** The file of a server that has not been started yet. */
  function writeConfig(home: Installation, text: string): string {
    mkdirSync(home.serverDir, { recursive: true });
    const path = join(home.serverDir, 'config.yml');
    writeFileSync(path, text);
    return path;
  }

  function database(home: Installation): DatabaseSync {
    mkdirSync(join(home.serverDir, 'data'), { recursive: true });
    return new DatabaseSync(join(home.serverDir, 'data', 'dstack.db'));
  }

  it('shows the admin’s token at the first start only', async () => {
    const home = newHome();
    const lines: string[] = [];
    home.onServerLine = (line) => lines.push(line);
    await home.startServer();
    expect(lines.filter((line) => line.includes(home.token()))).toHaveLength(1);
    await home.stopServer();
    lines.length = 0;
    await home.startServer();
    expect(lines.join('\n')).not.toContain(home.token());
    expect(await home.api('/api/users/get_my_user')).toMatchObject({ username: 'admin' });
  });

  it('never shows a token that it was given', async () => {
    const token = 'a-token-of-more-than-twenty-letters';
    const home = newHome({ DSTACK_SERVER_ADMIN_TOKEN: token });
    const lines: string[] = [];
    home.onServerLine = (line) => lines.push(line);
    await home.startServer();
    expect(lines.join('\n')).toContain('The admin token is the given one');
    expect(lines.join('\n')).not.toContain(token);
    expect(home.token()).toBe(token);
  });

  it('succeeds although the configuration of the command line is broken, and leaves it unchanged', async () => {
    const home = newHome();
    const path = join(home.home, '.dstack', 'config.yml');
    mkdirSync(join(home.home, '.dstack'), { recursive: true });
    writeFileSync(path, 'projects: 1\n');
    const lines: string[] = [];
    home.onServerLine = (line) => lines.push(line);
    await home.startServer();
    expect(lines.join('\n')).toMatch(/The admin token is \S+/);
    expect(readFileSync(path, 'utf8')).toBe('projects: 1\n');
  });

  it('serves requests while it asks about the default project, and Ctrl-C ends it', async () => {
    const home = newHome();
    mkdirSync(join(home.home, '.dstack'), { recursive: true });
    const text = 'projects:\n- {name: other, url: "http://127.0.0.1:1", token: t, default: true}\n';
    writeFileSync(join(home.home, '.dstack', 'config.yml'), text);
    const terminal = new Terminal(home, ['server', '--port', '0'], dstack);
    const [, url = ''] = await terminal.until(/is running at (\S+)/);
    await terminal.until(/Update the default project in \S+ \S*\[y\/N\]/);
    expect((await fetch(new URL('/healthcheck', url))).status).toBe(200);
    terminal.pressCtrlC();
    expect(await terminal.end()).toBe(0);
    expect(readFileSync(join(home.home, '.dstack', 'config.yml'), 'utf8')).toBe(text);
  });

  it('Ctrl-C ends it with 0, and the jobs continue', async () => {
    const home = newHome();
    await home.startServer();
    await applyFleet(home);
    await submit(home, 'counter', [
      'for i in $(seq 100); do echo "line $i"; sleep 0.02; done',
      'exit 3',
    ]);
    await untilRun(home, 'counter', isRunning);
    // A client that follows a run does not delay it.
    const watcher = home.spawn(['logs', '-f', 'counter']);
    await new Promise((resolve) => watcher.stdout?.once('data', resolve));
    expect(await home.stopServer()).toBe(0);
    await home.startServer();
    const run = await untilRun(home, 'counter', isFinished);
    expect(run.latest_job_submission.exit_status).toBe(3);
    const logs = await home.ok('logs', 'counter');
    expect(logs.match(/^line \d+/gm)).toHaveLength(100);
  });

  it('finds its jobs again when it starts with another folder for sockets', async () => {
    const home = newHome();
    await home.startServer();
    await applyFleet(home);
    const shared = sharedFolder(home);
    const end = join(shared, 'end');
    await submit(home, 'kept', [`until [ -e ${end} ]; do sleep 0.05; done`, 'exit 3']);
    const { latest_job_submission: job } = await untilRun(home, 'kept', isRunning);
    await home.stopServer();
    home.env.XDG_RUNTIME_DIR = join(home.home, 'elsewhere');
    await home.startServer();
    writeFileSync(end, '');
    const run = await untilRun(home, 'kept', isFinished);
    expect(run.latest_job_submission).toMatchObject({ id: job.id, exit_status: 3 });
  });

  it('a second Ctrl-C ends it in any state, and a message announces that', async () => {
    const database = createServer().listen(0, '127.0.0.1');
    await once(database, 'listening');
    const { port } = database.address() as AddressInfo;
    const url = `postgres://dstack@127.0.0.1:${port}/dstack`;
    const home = newHome({ DSTACK_DATABASE_URL: url });
    const terminal = new Terminal(home, ['server', '--port', '0'], dstack);
    const [connection] = await once(database, 'connection');
    terminal.pressCtrlC();
    await terminal.until(/Stopping\.\.\./);
    await terminal.until(/Ctrl-C again/);
    terminal.pressCtrlC();
    expect(await terminal.end()).toBe(130);
    connection.destroy();
    database.close();
  });

  it('SIGTERM ends it with 0, as service managers stop it', async () => {
    const home = newHome();
    await home.startServer();
    expect(await home.stopServer('SIGTERM')).toBe(0);
  });

  it('reports that its port is taken', async () => {
    const first = newHome();
    await first.startServer();
    const { port } = new URL(first.url);
    const output = await refusal(newHome(), '--port', port);
    expect(output).toContain(`port ${port}`);
    expect(output).toContain('--port');
  });

  it('reports that another server uses its database', async () => {
    const first = newHome();
    await first.startServer();
    const second = newHome({ DSTACK_SERVER_DIR: first.serverDir });
    const output = await refusal(second);
    expect(output).toContain('dstack.db');
    expect(output).toMatch(/another|in use/i);
    // The first server is not affected.
    expect(await first.api('/api/users/get_my_user')).toMatchObject({ username: 'admin' });
  });

  it.each([
    [
      'a key that does not exist',
      'projects:\n- name: main\n  backnds: []\n',
      /:3:.*backnds.*backends/s,
    ],
    ['text that is not YAML', 'projects: [\n', /:[12]:/],
    ['a value of the wrong kind', 'projects:\n- name: [main]\n', /:2:.*name/s],
    ['an unknown backend', 'projects:\n- name: main\n  backends:\n  - type: awz\n', /:4:.*aws/s],
  ])('names the line of %s in config.yml', async (_, text, message) => {
    const home = newHome();
    const path = writeConfig(home, text);
    const output = await refusal(home);
    expect(output).toContain(path);
    expect(output).toMatch(message);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('reports that config.yml cannot be read', async () => {
    const home = newHome();
    mkdirSync(join(home.serverDir, 'config.yml'), { recursive: true });
    expect(await refusal(home)).toMatch(/config\.yml cannot be read/);
  });

  it('refuses a database of a newer version without changing it', async () => {
    const home = newHome();
    await home.startServer();
    await home.stopServer();
    const db = database(home);
    db.exec(`insert into dstack_migrations (number, name, applied_at) values (999, 'later', 0)`);
    db.close();
    expect(await refusal(home)).toMatch(/newer version of dstack[\s\S]*DSTACK_DATABASE_URL/);
  });

  it('refuses a database of the Python server', async () => {
    const home = newHome();
    const db = database(home);
    db.exec('create table alembic_version (version_num text); create table users (id text)');
    db.close();
    expect(await refusal(home)).toMatch(/Python dstack server[\s\S]*DSTACK_DATABASE_URL/);
  });

  it('refuses to start without the key of its stored secrets', async () => {
    const home = newHome();
    await home.startServer();
    await home.stopServer();
    const path = join(home.serverDir, 'config.yml');
    const before = readFileSync(path, 'utf8');
    writeFileSync(path, 'projects:\n- name: main\n');
    const output = await refusal(home);
    expect(output).toContain('encryption.keys');
    expect(output).toContain(path);
    writeFileSync(path, before);
    await home.startServer();
    expect(await home.api('/api/users/get_my_user')).toMatchObject({ username: 'admin' });
  });

  it('warns that secrets are stored in plain text without a file and a key', async () => {
    const home = newHome({ DSTACK_SERVER_CONFIG_DISABLED: '1' });
    await home.startServer();
    await vi.waitUntil(() => home.serverNotices.includes('stored unencrypted, since'));
    await home.stopServer();
    home.env.DSTACK_ENCRYPTION_KEY = Buffer.alloc(32, 7).toString('base64');
    await home.startServer();
    await vi.waitUntil(() => home.serverNotices.includes("on the server's machine"));
    expect(home.serverNotices).not.toContain('unencrypted');
    await home.api('/api/project/main/secrets/create_or_update', { name: 's', value: 'hidden' });
    await home.stopServer();
    const db = database(home);
    expect(JSON.stringify(db.prepare('select * from secrets').all())).toContain(
      'enc:aes:environment:',
    );
    db.close();
  });

  it('warns of a short admin token, and refuses it if the server is public', async () => {
    const home = newHome({ DSTACK_SERVER_ADMIN_TOKEN: 'abc' });
    expect(await refusal(home, '--host', '0.0.0.0')).toMatch(
      /the admin token has 3 characters.*listens on 0\.0\.0\.0[\s\S]*DSTACK_SERVER_ADMIN_TOKEN/,
    );
    await home.startServer();
    await vi.waitUntil(() => home.serverNotices.includes('The admin token has 3 characters'));
    await home.stopServer();
    delete home.env.DSTACK_SERVER_ADMIN_TOKEN;
    expect(await refusal(home, '--host', '0.0.0.0')).toMatch(
      /3 characters[\s\S]*dstack user rotate admin/,
    );
  });

  it('names the variable with an invalid value', async () => {
    const home = newHome({ DSTACK_LOCAL_EXECUTOR: 'podman' });
    const { code, stderr } = await home.dstack(['server', '--port', '0', '-y']);
    expect(stderr).toMatch(/DSTACK_LOCAL_EXECUTOR.*podman.*docker/);
    expect(code).toBe(2);
  });

  it('names the database that it cannot reach', async () => {
    const url = 'postgres://dstack:hidden@127.0.0.1:1/dstack';
    const output = await refusal(newHome({ DSTACK_DATABASE_URL: url }));
    expect(output).toContain('127.0.0.1:1');
    expect(output).not.toContain('hidden');
  });
});
