import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand, withDirectory } from '../testing/run-command.ts';

test.each([
  ['the only configuration', ['train.dstack.yml', 'other.yml'], 'dstack apply -f train.dstack.yml'],
  ['no configuration of several', ['a.dstack.yml', 'b.dstack.yaml'], 'dstack apply -f FILE'],
  ['a template in a directory without one', [], 'dstack init --template hello'],
])('without a default file, the advice names %s', (_what, files, advice) =>
  withDirectory(async (cwd) => {
    for (const file of files) await writeFile(join(cwd, file), 'type: task\n');
    const { code, err } = await runCommand(['apply'], { cwd });
    expect([code, err]).toEqual([2, expect.stringContaining(`next: ${advice}\n`)]);
  }),
);
