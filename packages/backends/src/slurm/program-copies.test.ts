import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentProgram } from '../base/programs.ts';
import type { RemoteConnection } from '../base/ssh.ts';
import type { SlurmClusterConfig } from './partitions.ts';
import { ClusterProgramCopies } from './program-copies.ts';

const CLUSTER = {
  ...{ name: 'hpc', hostname: 'login.hpc', port: 22, user: 'dev' },
  private_key: { path: '', content: 'key' },
} as SlurmClusterConfig;

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'copies-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const there = () => {
  const dir = join(home, '.dstack/programs');
  return existsSync(dir) ? readdirSync(dir).sort() : [];
};

async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setImmediate(resolve));
}

/** A login node whose commands run here, in a home of their own. */
function logins() {
  const opened: { cut: () => void }[] = [];
  const separate = async () => {
    let cut = () => {};
    opened.push({ cut: () => cut() });
    const exec = async (command: string, { input }: { readonly input: string | Readable }) => {
      const child = spawn('sh', ['-c', command], { env: { ...process.env, HOME: home } });
      child.stdin.on('error', () => {});
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (data) => {
        stdout += data;
      });
      child.stderr.on('data', (data) => {
        stderr += data;
      });
      if (typeof input === 'string') child.stdin.end(input);
      else input.pipe(child.stdin);
      cut = () => child.stdin.end();
      const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
      return { code, stdout, stderr };
    };
    return { exec, close: () => {} } as unknown as RemoteConnection;
  };
  return { opened, separate };
}

const tarred = async (name: string, file: string): Promise<AgentProgram> => {
  const folder = mkdtempSync(join(tmpdir(), 'program-'));
  writeFileSync(join(folder, file), `${file} of ${name}`);
  const tar = execFileSync('tar', ['-c', '-C', folder, file]);
  rmSync(folder, { recursive: true });
  return program(name, gzipSync(tar));
};

function program(
  name: string,
  content: Buffer,
  open = () => Readable.from([content]),
): AgentProgram {
  return { name, size: content.length, open };
}

async function programs(node = program('node-1', gzipSync('node'))) {
  const [agent, libraries] = [
    await tarred('agent-1', 'main.js'),
    await tarred('libraries-1', 'ld'),
  ];
  return {
    node: async () => node,
    agent: async () => agent,
    libraries: async () => libraries,
  };
}

describe('the copies of the agent on a cluster', () => {
  it('are made once, and reported while they are made', async () => {
    const { opened, separate } = logins();
    const copies = new ClusterProgramCopies({ separate }, await programs());
    const texts: string[] = [];
    const report = (text: string) => texts.push(text);
    const [first, second] = await Promise.all([
      copies.deliver(CLUSTER, { report }),
      copies.deliver(CLUSTER, { report }),
    ]);
    expect(first).toBe(second);
    expect(there()).toEqual(['agent-1', 'libraries-1', 'node-1']);
    expect(readFileSync(join(first.dir, first.main), 'utf8')).toBe('main.js of agent-1');
    expect(readFileSync(join(first.dir, first.node), 'utf8')).toBe('node');
    expect(texts[0]).toBe('copying the agent to login.hpc (0 of 1 MB)');
    expect(opened).toHaveLength(1);
  });

  it('are not reported if they are there, also those that another server has made', async () => {
    const { separate } = logins();
    await new ClusterProgramCopies({ separate }, await programs()).deliver(CLUSTER, {
      report: () => {},
    });
    const texts: string[] = [];
    const again = new ClusterProgramCopies({ separate }, await programs());
    await again.deliver(CLUSTER, { report: (text) => texts.push(text) });
    expect(texts).toEqual([]);
  });

  it('are made again if they were removed, once for all jobs that find it out', async () => {
    const { opened, separate } = logins();
    const copies = new ClusterProgramCopies({ separate }, await programs());
    await copies.deliver(CLUSTER, { report: () => {} });
    rmSync(join(home, '.dstack'), { recursive: true });
    const lost = { report: () => {}, isLost: true };
    await Promise.all([copies.deliver(CLUSTER, lost), copies.deliver(CLUSTER, lost)]);
    expect(there()).toEqual(['agent-1', 'libraries-1', 'node-1']);
    expect(opened).toHaveLength(2);
  });

  it('leave nothing half there when the server is killed in the middle', async () => {
    const { opened, separate } = logins();
    const slow = new PassThrough();
    const content = gzipSync(Buffer.alloc(100_000, 'node'));
    const copies = new ClusterProgramCopies(
      { separate },
      await programs(program('node-1', content, () => slow)),
    );
    const delivering = copies.deliver(CLUSTER, { report: () => {} });
    slow.write(content.subarray(0, content.length - 20));
    await until(() => there().some((name) => name.startsWith('node-1.')));
    opened[0]?.cut();
    await expect(delivering).rejects.toThrow('Copying node-1 failed');
    expect(there()).toEqual(['agent-1', 'libraries-1']);
  });

  it('are tried again for a job that waited for a copy which failed', async () => {
    const { opened, separate } = logins();
    const slow = new PassThrough();
    const content = gzipSync('node');
    const streams = [slow, Readable.from([content])];
    const copies = new ClusterProgramCopies(
      { separate },
      await programs(program('node-1', content, () => streams.shift() ?? slow)),
    );
    copies.prepare(CLUSTER);
    await until(() => there().some((name) => name.startsWith('node-1.')));
    const delivering = copies.deliver(CLUSTER, { report: () => {} });
    opened[0]?.cut();
    expect((await delivering).node).toBe('node-1/node');
    expect(there()).toContain('node-1');
  });

  it('are waited for no longer than a call may take, and go on meanwhile', async () => {
    const { separate } = logins();
    const slow = new PassThrough();
    const content = gzipSync('node');
    const copies = new ClusterProgramCopies(
      { separate },
      await programs(program('node-1', content, () => slow)),
      { patienceMs: 1 },
    );
    copies.prepare(CLUSTER);
    await expect(copies.deliver(CLUSTER, { report: () => {} })).rejects.toThrow(
      /^copying the agent to login.hpc/,
    );
    slow.end(content);
    await until(() => there().includes('node-1'));
  });

  it('remove what a copy has left an hour ago, and nothing of a user', async () => {
    const { separate } = logins();
    const dir = join(home, '.dstack/programs');
    const old = ['node-0.x1y2z3', 'node-0.x1y2z3.tar', 'mine.d'].map((name) => join(dir, name));
    for (const path of old) await mkdir(path, { recursive: true });
    await mkdir(join(dir, 'node-0.recent'));
    for (const path of old) utimesSync(path, 1, 1);
    await new ClusterProgramCopies({ separate }, await programs()).deliver(CLUSTER, {
      report: () => {},
    });
    expect(there()).toEqual(['agent-1', 'libraries-1', 'mine.d', 'node-0.recent', 'node-1']);
  });
});
