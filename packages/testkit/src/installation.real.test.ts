import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Installation } from './installation.ts';

/** Replaces the product: its server leaves processes behind that are detached from it. */
const PROGRAM = `#!/bin/sh
case "$1" in
server)
  if [ "$5" = broken ]; then echo "no database" >&2; exit 4; fi
  setsid sh -c 'trap "" INT TERM HUP; echo $$ >> "$PIDS"; while :; do sleep 1; done' > /dev/null 2>&1 &
  while [ ! -s "$PIDS" ]; do :; done
  trap 'exit 0' INT
  echo "The server is running at http://127.0.0.1:$3"
  while :; do sleep 0.05; done ;;
linger) echo $$ >> "$PIDS"; echo lingers; while :; do sleep 1; done ;;
fail) echo half; echo because >&2; exit 3 ;;
show) echo "$HOME|$DSTACK_TOKEN|$DSTACK_PROJECT|$DSTACK_DATABASE_URL|$DSTACK_SERVER_DIR"; cat ;;
esac
`;

let dir: string;
let home: Installation;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'program-'));
  const dstack = join(dir, 'dstack');
  writeFileSync(dstack, PROGRAM);
  chmodSync(dstack, 0o755);
  home = new Installation({ dstack, env: { PIDS: join(dir, 'pids') } });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await home.dispose();
  rmSync(dir, { recursive: true });
});

const pids = () => readFileSync(join(dir, 'pids'), 'utf8').trim().split('\n').map(Number);

/** Whether it runs; a zombie does not. */
function lives(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('disposing of an installation', () => {
  it('ends what its server left behind, even if that ignores signals, and removes its home', async () => {
    await home.startServer();
    const [left = 0] = pids();
    await home.stopServer();
    expect(lives(left)).toBe(true);
    expect(home.processes()).toContain(left);
    await home.dispose();
    expect(lives(left)).toBe(false);
    expect(home.processes()).toEqual([]);
    expect(existsSync(home.home)).toBe(false);
  });

  it('ends the server and commands that still run', async () => {
    await home.startServer();
    const server = home.serverPid;
    const command = home.spawn(['linger']);
    await new Promise((resolve) => command.stdout?.once('data', resolve));
    await home.dispose();
    expect([server, ...pids()].filter(lives)).toEqual([]);
  });

  it('leaves other installations alone', async () => {
    const other = new Installation({
      dstack: join(dir, 'dstack'),
      env: { PIDS: join(dir, 'pids') },
    });
    try {
      await other.startServer();
      await home.dispose();
      expect(lives(other.serverPid)).toBe(true);
      expect(existsSync(other.home)).toBe(true);
    } finally {
      await other.dispose();
    }
  });
});

describe('the server of an installation', () => {
  it('keeps its port when it starts again', async () => {
    const lines: string[] = [];
    home.onServerLine = (line) => lines.push(line);
    await home.startServer();
    const { url } = home;
    expect(await home.stopServer()).toBe(0);
    await home.startServer();
    expect(home.url).toBe(url);
    expect(lines).toHaveLength(2);
  });

  it('that fails to start is reported with its output', async () => {
    await expect(home.startServer('broken')).rejects.toThrow('server ended with 4: no database\n');
  });
});

describe('a command of an installation', () => {
  it('does not see the caller’s own installation', async () => {
    for (const name of ['DSTACK_TOKEN', 'DSTACK_PROJECT', 'DSTACK_DATABASE_URL']) {
      vi.stubEnv(name, 'of the caller');
    }
    const own = new Installation({ dstack: join(dir, 'dstack') });
    const { code, stdout } = await own.dstack(['show'], { input: 'typed' });
    await own.dispose();
    expect([code, stdout]).toEqual([0, `${own.home}||||${own.serverDir}\ntyped`]);
  });

  it('may ignore its input', async () => {
    const input = 'x'.repeat(10_000_000);
    expect(await home.dstack(['fail'], { input })).toMatchObject({ code: 3, stdout: 'half\n' });
  });

  it('is an error if it fails and must not', async () => {
    expect(await home.dstack(['fail'])).toEqual({ code: 3, stdout: 'half\n', stderr: 'because\n' });
    await expect(home.ok('fail')).rejects.toThrow('dstack fail ended with 3\nhalf\n\nbecause\n');
  });
});
