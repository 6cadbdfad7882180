import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootId, type ProcessIdentity } from '../host/process-identity.ts';
import { ProcessExecution } from './process-execution.ts';
import { SupervisorFiles } from './supervisor-files.ts';

/** No process can have this number. */
const DEAD: ProcessIdentity = { pid: 2 ** 30, startTime: '1', bootId: bootId() };

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'execution-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A job whose supervisor died without a record of its end. */
function unsupervised(leader: ProcessIdentity | null): ProcessExecution {
  const files = new SupervisorFiles(dir);
  const record = {
    ...{ supervisor: DEAD, leader, socket: join(dir, 's'), cwd: '/' },
    account: { uid: 1, gid: 1, username: null, home: '/', shell: null },
    cgroup: { unified: null, legacy: {} },
  };
  writeFileSync(record.socket, '');
  files.writeSupervisor(record);
  return new ProcessExecution('a7c1', files, record, join(dir, 'notice'));
}

describe('a job whose supervisor was killed', () => {
  it('was interrupted if its command had begun', async () => {
    await expect(unsupervised(DEAD).exited).resolves.toEqual({
      status: null,
      reason: 'interrupted_by_no_capacity',
      message: 'The process that supervised the job was killed',
    });
  });

  it('could not be started if its command had not begun', async () => {
    await expect(unsupervised(null).exited).resolves.toEqual({
      status: null,
      reason: 'executor_error',
      message: 'The process that supervises the job was killed',
    });
  });

  it('leaves no socket behind', async () => {
    await unsupervised(DEAD).exited;
    expect(existsSync(join(dir, 's'))).toBe(false);
  });
});
