import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canMakeNamespaces, type JobNamespace, openNamespace } from './namespace.ts';
import { namespaceSteps } from './namespace-steps.ts';

describe.skipIf(process.getuid?.() !== 0 || !canMakeNamespaces())('files in a namespace', () => {
  let area: string;
  let programs: string;
  let opened: JobNamespace | null = null;
  beforeEach(() => {
    area = mkdtempSync('/var/lib/namespace-steps-');
    for (const name of ['tmp', 'var-tmp', 'mounts']) mkdirSync(join(area, name));
    for (const name of ['passwd', 'group']) copyFileSync(`/etc/${name}`, join(area, name));
    programs = mkdtempSync('/tmp/programs-');
    writeFileSync(join(programs, 'program'), 'ours');
    writeFileSync(`${programs}.other`, 'somebody’s');
  });
  afterEach(async () => {
    await opened?.close();
    opened = null;
    for (const path of [area, programs, `${programs}.other`]) rmSync(path, { recursive: true });
  });

  it('include our programs where they lie in the machine’s /tmp, and nothing else of it', async () => {
    const [passwd, group] = [join(area, 'passwd'), join(area, 'group')];
    const own = { area, passwd, group, shmBytes: null, programs: [programs, '/usr/bin'] };
    opened = await openNamespace(namespaceSteps([], join(area, 'mounts'), own));
    const script = `cat ${programs}/program; touch ${programs}/x 2>/dev/null; ls ${programs} /tmp`;
    const words = [`--mount=/proc/${opened.pid}/ns/mnt`, '--', 'sh', '-c', script];
    const name = programs.slice('/tmp/'.length);
    expect(execFileSync('nsenter', words, { cwd: '/' }).toString()).toBe(
      `ours/tmp:\n${name}\n\n${programs}:\nprogram\n`,
    );
  });
});
