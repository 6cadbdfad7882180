import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { JobFolder } from '../executor/job-folder.ts';
import { tarOf } from '../testing/hostile-tar.ts';
import { freeUids } from '../testing/test-uids.ts';
import { placeAs } from './place-as.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'place-as-'));
  chmodSync(root, 0o777);
});
afterEach(() => rmSync(root, { recursive: true }));

it.skipIf(process.getuid?.() !== 0)(
  'places nothing for a job that is stopped before the program starts',
  async () => {
    const { first: uid } = freeUids(1);
    const account = { username: null, uid, gid: uid, home: '/', shell: null, groups: [] };
    const folder = new JobFolder(join(root, 'jobs'), 'job-1', root, join(root, 'homes'));
    for (const dir of [folder.home, folder.work, folder.stage]) {
      mkdirSync(dir, { recursive: true });
      chownSync(dir, uid, uid);
    }
    folder.make();
    writeFileSync(folder.archive('a'), tarOf([{ name: 'top', content: 'new\n' }]));
    const target = join(root, 'file');
    const stopping = new AbortController();
    const way = {
      enter: async () => {
        stopping.abort(new Error('stopped'));
        return ['env'];
      },
      reach: () => ({}),
    };
    const placement = {
      ...{ id: 'job-1', cluster: null, cwd: folder.work, repoDir: null, reserved: [] },
      ...{ home: folder.home, work: folder.work, stage: folder.stage },
      spec: {
        ...{ repo: null, jobs_per_replica: 1, job_private_key: null },
        file_archives: [{ id: 'a', sha256: '', path: target }],
      },
    };
    const placed = placeAs(account, placement, folder, stopping.signal, way);
    await expect(placed).rejects.toThrow('stopped');
    expect(existsSync(target)).toBe(false);
  },
);
