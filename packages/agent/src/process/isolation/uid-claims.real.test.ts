import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freeUids } from '../../testing/test-uids.ts';
import { UidClaims } from './uid-claims.ts';

const FIRST = freeUids(100).first;
const uids = { first: FIRST, last: FIRST + 3 };

describe.skipIf(process.getuid?.() !== 0)('user ids of jobs', () => {
  let base: string;
  const children: ChildProcess[] = [];
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'claims-'));
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(base, { recursive: true });
  });

  const claims = (range = uids) => new UidClaims({ dir: join(base, 'uids'), uids: range });

  /** A job of an agent, with a record and files. */
  function job(name: string, server = 'server-1') {
    const folder = join(base, server, 'state', name);
    const area = join(base, `homes-${server}`, Buffer.from(name).toString('hex'));
    mkdirSync(folder, { recursive: true });
    mkdirSync(area, { recursive: true });
    writeFileSync(join(folder, 'record.json'), '{}');
    writeFileSync(join(area, 'secret'), name);
    return { folder, area };
  }

  it('are one for each job, and the same for a repeated claim', async () => {
    const [a, b] = [job('a'), job('b')];
    expect(await claims().claim(a)).toBe(FIRST);
    expect(await claims().claim(b)).toBe(FIRST + 1);
    expect(await claims().claim(a)).toBe(FIRST);
    expect(await claims().find(b.folder)).toBe(FIRST + 1);
  });

  it('are reused as late as possible', async () => {
    const given: number[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const one = job(name);
      given.push(await claims().claim(one));
      await claims().release(one.folder);
    }
    expect(given).toEqual([FIRST, FIRST + 1, FIRST + 2, FIRST + 3, FIRST]);
  });

  it('are never assigned twice, also by simultaneous claims', async () => {
    const program = fileURLToPath(new URL('./uid-claims.ts', import.meta.url));
    const script = `
      const { UidClaims } = await import(${JSON.stringify(program)});
      const [dir, ...folders] = process.argv.slice(1);
      const claims = new UidClaims({ dir, uids: { first: ${FIRST}, last: ${FIRST + 99} } });
      for (const folder of folders) console.log(await claims.claim({ folder, area: '' }));`;
    const servers = ['s1', 's2', 's3', 's4'];
    const outputs = await Promise.all(
      servers.map(async (server) => {
        const folders = Array.from({ length: 10 }, (_, i) => job(`j${i}`, server).folder);
        const args = ['--input-type=module', '-e', script, join(base, 'uids'), ...folders];
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
        children.push(child);
        let text = '';
        child.stdout.on('data', (data) => {
          text += data;
        });
        await once(child, 'close');
        return text.trim().split('\n');
      }),
    );
    expect(new Set(outputs.flat()).size).toBe(40);
  });

  it('are refused when all are taken, with the setting’s name', async () => {
    const two = { first: FIRST, last: FIRST + 1 };
    for (const name of ['a', 'b']) await claims(two).claim(job(name));
    await expect(claims(two).claim(job('c'))).rejects.toThrow(
      `No user id is free for the job: all of ${FIRST}-${FIRST + 1} (DSTACK_LOCAL_UIDS) are in use`,
    );
  });

  it('are released with their files when their installation was removed', async () => {
    const removed = job('a', 'removed');
    await claims().claim(removed);
    rmSync(join(base, 'removed'), { recursive: true });
    const range = { first: FIRST, last: FIRST };
    expect(await claims(range).claim(job('b'))).toBe(FIRST);
    expect(existsSync(removed.area)).toBe(false);
    await claims().sweep();
    expect(readdirSync(base)).not.toContain('homes-removed');
  });

  it('stay taken while a process of theirs lives, also without the installation', async () => {
    const removed = job('a', 'removed');
    const uid = await claims().claim(removed);
    rmSync(join(base, 'removed'), { recursive: true });
    const child = spawn('sleep', ['1000'], { uid, gid: uid, stdio: 'ignore' });
    children.push(child);
    await once(child, 'spawn');
    await claims().sweep();
    expect(existsSync(join(removed.area, 'secret'))).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await claims().sweep();
    expect(existsSync(removed.area)).toBe(false);
  });

  it('differ from those of other accounts of the host', async () => {
    const child = spawn('sleep', ['1000'], { uid: FIRST, gid: FIRST, stdio: 'ignore' });
    children.push(child);
    await once(child, 'spawn');
    expect(await claims().claim(job('a'))).toBe(FIRST + 1);
    // `nobody` has a name.
    await expect(claims({ first: 65_534, last: 65_534 }).claim(job('b'))).rejects.toThrow('in use');
  });

  it('stay usable except for those with a damaged claim', async () => {
    mkdirSync(join(base, 'uids'));
    const precious = join(base, 'precious');
    mkdirSync(precious);
    const wrong = { folder: '/nowhere', area: precious };
    writeFileSync(join(base, 'uids', String(FIRST)), JSON.stringify(wrong));
    writeFileSync(join(base, 'uids', String(FIRST + 1)), 'no JSON');
    writeFileSync(
      join(base, 'uids', String(FIRST + 2)),
      JSON.stringify({ folder: '/nowhere', area: '/' }),
    );
    await claims().sweep();
    expect(existsSync(precious)).toBe(true);
    expect(await claims().claim(job('a'))).not.toBe(FIRST);
  });
});
