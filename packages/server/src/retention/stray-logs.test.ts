import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SECOND } from '@dstack/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { StrayLogs } from './stray-logs.ts';

const NOW = 1_800_000_000 * SECOND;
const OLD = new Date(NOW / 1000 - 40 * 86_400_000);

let root: string;
/** Sizes of the questions to the database. */
let questions: number[];
let known: Set<string>;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stray-logs-'));
  questions = [];
  known = new Set();
});
afterEach(() => rmSync(root, { recursive: true }));

function log(run: string, jobId: string): string {
  const folder = join(root, 'main', run, jobId);
  mkdirSync(folder, { recursive: true });
  utimesSync(folder, OLD, OLD);
  return folder;
}

const strays = () =>
  new StrayLogs({
    root,
    retention: {
      unknownJobs: async (ids) => {
        questions.push(ids.length);
        return ids.filter((id) => !known.has(id));
      },
      strayLogs: async () => ({ jobIds: [], next: null }),
    },
    logs: {
      delete: async ({ project, run, jobId }) => {
        rmSync(join(root, project, run, jobId), { recursive: true });
        const folder = join(root, project, run);
        if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true });
      },
    },
  });

async function pass(limit: number): Promise<void> {
  const one = strays();
  while ((await one.deleteNext(limit, NOW)) > 0);
}

it('asks the database once for many logs, so that a pass over a month of them is cheap', async () => {
  for (let run = 0; run < 100; run++) {
    known.add(`job-${run}`);
    log(`run-${run}`, `job-${run}`);
  }
  await pass(50);
  expect(questions.reduce((sum, count) => sum + count, 0)).toBe(100);
  expect(questions.length).toBeLessThan(10);
});

it('finds the strays among many, and removes the empty folders of runs', async () => {
  const folders = Array.from({ length: 20 }, (_, run) => log(`run-${run}`, `job-${run}`));
  for (let run = 0; run < 20; run += 2) known.add(`job-${run}`);
  mkdirSync(join(root, 'main', 'left-behind'));
  await pass(7);
  expect(folders.map((folder) => existsSync(folder))).toEqual(
    folders.map((_, run) => run % 2 === 0),
  );
  expect(readdirSync(join(root, 'main'))).toHaveLength(10);
});

it('looks at a run with more jobs than a step has', async () => {
  for (let job = 0; job < 30; job++) log('array', `job-${job}`);
  await pass(4);
  expect(existsSync(join(root, 'main', 'array'))).toBe(false);
});
