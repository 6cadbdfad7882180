import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dockerMissing } from '@dstack/testkit/docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SshClient } from '../../testing/ssh-client.ts';
import { JOB_KINDS, SshJobs } from '../../testing/ssh-jobs.ts';

const missing = dockerMissing();
if (missing) console.warn(`File transfers with containers are NOT tested: ${missing} is missing`);
const hasRsync = existsSync('/usr/bin/rsync');
if (!hasRsync && process.env.CI) throw new Error('rsync is not installed; on CI it is tested');
if (!hasRsync) console.warn('rsync is NOT tested: it is missing');

const sum = (data: Buffer) => createHash('sha256').update(data).digest('hex');

const isRoot = process.getuid?.() === 0;

describe.each(JOB_KINDS)('files of a %s job', (kind) => {
  const skipped = kind === 'docker' ? missing !== null : kind === 'confined' && !isRoot;
  describe.skipIf(skipped)('over SSH', () => {
    let jobs: SshJobs;
    let client: SshClient;
    /** In the job. */
    let place: string;
    const content = randomBytes(5_000_001);

    const here = (name: string) => join(client.dir, name);
    const copy = (args: readonly string[], more: readonly string[] = []) =>
      client.run('scp', [...client.options(), '-q', ...more, ...args]);
    const batch = (lines: readonly string[], login = 'root') =>
      client.run('sftp', [...client.options(), '-q', '-b', '-', `${login}@job`], lines.join('\n'));

    beforeAll(async () => {
      jobs = await SshJobs.start({ kind });
      client = jobs.client;
      place = kind === 'process' ? here('place') : '/tmp/place';
      await jobs.begin({ working_dir: place });
      writeFileSync(here('up'), content, { mode: 0o640 });
    }, 60_000);
    afterAll(() => jobs?.close(), 60_000);

    it.each([
      ['the newer', []],
      ['the older', ['-O']],
    ])('are copied up and down by %s protocol of scp', async (_, more) => {
      // A minimal image has no scp of its own, which the older protocol needs.
      if (kind === 'docker' && more.length > 0) return;
      expect(await copy([here('up'), 'root@job:copied'], more)).toMatchObject({
        code: 0,
        stderr: '',
      });
      const { stdout } = await client.ssh([`sha256sum ${place}/copied`]);
      expect(stdout.split(' ')[0]).toBe(sum(content));
      await copy([`root@job:${place}/copied`, here('down')], more);
      expect(sum(readFileSync(here('down')))).toBe(sum(content));
    });

    it('are listed, moved, linked, changed and removed by sftp', async () => {
      const { code, stdout, stderr } = await batch([
        ...['pwd', 'mkdir d', `put ${here('up')} d/one`, 'chmod 600 d/one', 'rename d/one d/two'],
        ...['symlink two d/link', 'ls -l d', `get d/link ${here('linked')}`, 'ln d/two d/three'],
        ...['df .', 'rm d/link', 'rm d/two', 'rm d/three', 'rmdir d', '-ls d'],
      ]);
      expect({ code, stderr: stderr.trim() }).toEqual({
        code: 0,
        stderr: expect.stringMatching(/not found|No such file/),
      });
      expect(stdout).toContain(`Remote working directory: ${place}`);
      expect(stdout).toMatch(/-rw-------\s.*5000001 .*two/);
      expect(stdout).toMatch(/lrwxrwxrwx.*link/);
      expect(sum(readFileSync(here('linked')))).toBe(sum(content));
    });

    it('report errors', async () => {
      const { code, stderr } = await copy(['root@job:/no/such/file', here('none')]);
      expect(code).toBe(1);
      expect(stderr).toContain('No such file');
    });

    if (kind === 'docker')
      it('belong to the user who copied them, without additional rights', async () => {
        const options = client.options();
        await client.run('scp', [...options, '-q', here('up'), 'alice@job:/home/alice/mine']);
        expect((await client.ssh(['stat -c "%U %a" /home/alice/mine'])).stdout).toBe('alice 640\n');
        const { stderr } = await client.run('scp', [...options, here('up'), 'alice@job:/root/x']);
        expect(stderr).toMatch(/permission denied/i);
      });

    if (kind === 'docker')
      it('are those of the container, independently of its links', async () => {
        writeFileSync('/tmp/dstack-outside', 'of the host');
        await client.ssh(['ln -s /tmp/dstack-outside /tmp/escape; ln -s / /tmp/all']);
        const { stderr } = await copy(['root@job:/tmp/escape', here('escaped')]);
        expect(stderr).toContain('No such file');
        await copy(['root@job:/tmp/all/etc/passwd', here('passwd')]);
        expect(readFileSync(here('passwd'), 'utf8')).toContain('alice');
        execFileSync('rm', ['/tmp/dstack-outside']);
      });

    if (kind !== 'docker' && hasRsync)
      it('are synchronised by rsync both ways', async () => {
        mkdirSync(here('tree/sub'), { recursive: true });
        writeFileSync(here('tree/sub/file'), content);
        const shell = ['ssh', ...client.options()].join(' ');
        const sync = (from: string, to: string) =>
          client.run('rsync', ['-a', '-e', shell, from, to]);
        expect(await sync(`${here('tree')}/`, 'root@job:synced/')).toMatchObject({ code: 0 });
        expect(await sync('root@job:synced/', here('back'))).toMatchObject({ code: 0 });
        expect(sum(readFileSync(here('back/sub/file')))).toBe(sum(content));
      });
  });
});
