import { expect, it } from 'vitest';
import { DurableCommits } from './durable-commits.ts';

/** A disk whose syncs end when the test ends them. */
function disk() {
  const waiting: { resolve(): void; reject(error: Error): void }[] = [];
  let syncs = 0;
  return {
    sync: () => {
      syncs++;
      return new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
    },
    syncs: () => syncs,
    end: () => waiting.shift()?.resolve(),
    fail: (error: Error) => waiting.shift()?.reject(error),
  };
}

/** Whether a promise is settled after everything that can happen now has happened. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  promise.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  return over;
}

it('no caller waits while nothing was committed', async () => {
  const { sync, syncs } = disk();
  await new DurableCommits(sync, () => {}).settled();
  expect(syncs()).toBe(0);
});

it('callers that committed before a sync began share it', async () => {
  const { sync, syncs, end } = disk();
  const commits = new DurableCommits(sync, () => {});
  commits.committed();
  commits.committed();
  const both = Promise.all([commits.settled(), commits.settled()]);
  expect(await isOver(both)).toBe(false);
  end();
  await both;
  expect(syncs()).toBe(1);
});

it('a commit during a sync waits for the next one', async () => {
  const { sync, syncs, end } = disk();
  const commits = new DurableCommits(sync, () => {});
  commits.committed();
  const first = commits.settled();
  commits.committed();
  const second = commits.settled();
  end();
  await first;
  expect(await isOver(second)).toBe(false);
  end();
  await second;
  expect(syncs()).toBe(2);
});

it('a reader waits for what it may have read before it is on the disk', async () => {
  const { sync, end } = disk();
  const commits = new DurableCommits(sync, () => {});
  commits.committed();
  const writer = commits.settled();
  const reader = commits.settled();
  expect(await isOver(reader)).toBe(false);
  end();
  await Promise.all([writer, reader]);
});

it('a failed sync rejects all who waited for it, and the next caller tries again', async () => {
  const { sync, fail, end } = disk();
  const commits = new DurableCommits(sync, () => {});
  commits.committed();
  const waiting = Promise.allSettled([commits.settled(), commits.settled()]);
  fail(new Error('EIO'));
  expect((await waiting).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const next = commits.settled();
  end();
  await next;
});

it('after a failed sync all is written again before the next one, and again if that fails', async () => {
  const { sync, fail, end, syncs } = disk();
  let rewritten = 0;
  let isBroken = true;
  const commits = new DurableCommits(sync, () => {
    rewritten++;
    if (isBroken) throw new Error('EROFS');
  });
  commits.idle();
  expect(rewritten).toBe(0);
  commits.committed();
  const waiting = commits.settled();
  fail(new Error('EIO'));
  await expect(waiting).rejects.toThrow('EIO');
  expect(() => commits.idle()).toThrow('EROFS');
  isBroken = false;
  commits.idle();
  commits.idle();
  expect([rewritten, syncs()]).toEqual([2, 1]);
  const next = commits.settled();
  end();
  await next;
});
