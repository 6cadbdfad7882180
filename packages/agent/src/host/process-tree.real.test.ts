import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import { wrapCommand } from '../process/job-command.ts';
import { joinFiles, makeJobCgroup, removeCgroup } from './cgroup.ts';
import { identifyProcess } from './process-identity.ts';
import { type JobTree, killTree, treePids } from './process-tree.ts';

const children: ChildProcess[] = [];
const trees: JobTree[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const { cgroup } of trees.splice(0)) removeCgroup(cgroup);
});

/** How the command ended: its signal or exit code. */
function ended(child: ChildProcess): Promise<string | number | null> {
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
}

/** A job whose command is `argv`. `joins`: the command joins the groups, as jobs do. */
function start(argv: string[], joins: boolean): { tree: JobTree; child: ChildProcess } {
  const id = randomUUID();
  const cgroup = makeJobCgroup(`dstack-${id}`, { cpus: null, memoryBytes: null });
  const [file = '', ...args] = joins ? wrapCommand(argv, cgroup) : argv;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  const tree = { id, leader: identifyProcess(child.pid ?? 0), cgroup };
  trees.push(tree);
  return { tree, child };
}

/**
 * The same on a host without control groups: the command leads a session that identifies the job.
 */
function startSession(argv: string[]): { tree: JobTree; child: ChildProcess } {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  children.push(child);
  const leader = identifyProcess(child.pid ?? 0);
  return { tree: { id: randomUUID(), leader, cgroup: { unified: null, legacy: {} } }, child };
}

it('a command that has not joined its groups yet belongs to the job, and is killed', async () => {
  const { tree, child } = start(['sleep', '600'], false);
  const end = ended(child);
  expect(treePids(tree)).toEqual([child.pid]);
  await killTree(tree);
  expect(await end).toBe('SIGKILL');
});

it('nothing of a job is left after it is killed, not even its groups', async () => {
  const { tree, child } = start(['sh', '-c', 'sleep 600 & echo up; wait'], true);
  const end = ended(child);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  await killTree(tree);
  expect(await end).toBe('SIGKILL');
  expect(treePids(tree)).toEqual([]);
  removeCgroup(tree.cgroup);
  expect(joinFiles(tree.cgroup).filter(existsSync)).toEqual([]);
});

it('another process with the number of a dead command is not touched', async () => {
  const { tree, child } = start(['sleep', '600'], false);
  const leader = { ...(tree.leader as NonNullable<JobTree['leader']>), startTime: '1' };
  await killTree({ ...tree, leader });
  expect(treePids({ ...tree, leader })).toEqual([]);
  expect(child.exitCode ?? child.signalCode).toBeNull();
});

it.each([
  { what: 'was started before the machine was', changed: { bootId: 'an earlier one' } },
  { what: 'has ended, and its number was given away', changed: { startTime: '1' } },
])('a session of others is not touched when the command $what', ({ changed }) => {
  const { tree, child } = startSession(['sleep', '600']);
  const leader = { ...(tree.leader as NonNullable<JobTree['leader']>), ...changed };
  expect(treePids(tree)).toEqual([child.pid]);
  expect(treePids({ ...tree, leader })).toEqual([]);
});

it('the remaining processes of the session of an ended command belong to the job', async () => {
  const { tree, child } = startSession(['sh', '-c', 'env -i sleep 600 > /dev/null & echo $!']);
  const end = ended(child);
  const [pid] = await once(child.stdout as Readable, 'data');
  await end;
  expect(treePids(tree)).toEqual([Number(pid)]);
  await killTree(tree);
});
