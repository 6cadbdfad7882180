import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  canMakeNamespaces,
  type JobNamespace,
  type NamespaceStep,
  openNamespace,
} from './namespace.ts';

describe.skipIf(process.getuid?.() !== 0 || !canMakeNamespaces())('a namespace of a job', () => {
  let dir: string;
  let opened: JobNamespace | null = null;
  beforeEach(() => {
    dir = mkdtempSync('/var/tmp/namespace-');
  });
  afterEach(async () => {
    await opened?.close();
    opened = null;
    rmSync(dir, { recursive: true });
  });

  async function inside(steps: readonly NamespaceStep[], script: string): Promise<string> {
    opened = await openNamespace(steps);
    const { pid } = opened;
    const words = [`--mount=/proc/${pid}/ns/mnt`, `--ipc=/proc/${pid}/ns/ipc`, '--'];
    return execFileSync('nsenter', [...words, 'sh', '-c', script], { cwd: dir }).toString();
  }

  it('shows other files, and nothing of it outside', async () => {
    const [from, to] = [join(dir, 'from'), join(dir, "to: it's one")];
    for (const path of [from, to]) mkdirSync(path);
    writeFileSync(join(from, 'file'), 'of from');
    expect(await inside([['bind', from, to]], `cat "${to}/file"`)).toBe('of from');
    expect(existsSync(join(to, 'file'))).toBe(false);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(dir);
  });

  it('can be written to only where that was allowed', async () => {
    const to = join(dir, 'to');
    const steps = [
      ['folder', to],
      ['bind', dir, to],
      ['readonly', to],
    ] as const;
    expect(await inside(steps, `touch ${to}/x 2>&1 || true; touch ${dir}/y`)).toMatch(/Read-only/);
    expect(existsSync(join(dir, 'y'))).toBe(true);
  });

  it('shares no memory segments with the host', async () => {
    const script = 'ipcmk -M 4096 > /dev/null; ipcs -m | grep -c 4096';
    expect((await inside([], script)).trim()).toBe('1');
    const outside = execFileSync('sh', ['-c', 'ipcs -m | grep -c " 4096 " || true']).toString();
    expect(outside.trim()).toBe('0');
  });

  it('lets only root see the processes of others', async () => {
    const as = 'setpriv --reuid=700001 --regid=700001 --clear-groups';
    const look = `${as} sh -c 'ls -d /proc/[0-9]* | wc -l; cat /proc/1/cmdline 2>&1 | tail -c 40'`;
    const text = await inside([['processes', '/proc']], look);
    expect(Number(text.split('\n')[0])).toBeLessThan(6);
    expect(text).toContain('No such file');
  });

  it('is not made if a step fails, whose message is reported', async () => {
    const missing = join(dir, 'missing');
    await expect(openNamespace([['bind', missing, dir]])).rejects.toThrow(missing);
  });

  it('ends with its processes', async () => {
    const { pid, close } = await openNamespace([]);
    await close();
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  });
});
