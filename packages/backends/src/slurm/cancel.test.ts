import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cancelScript } from './cancel.ts';

const NAME = 'dstack-main-train-0-0123456789ab';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'cancel-'));
  mkdirSync(join(home, '.dstack/jobs', NAME), { recursive: true });
  program('scancel', 'echo "$@" >> "$HOME/cancelled"; cp "$HOME/after" "$HOME/queue"');
  program('squeue', 'if [ -e "$HOME/away" ]; then exit 1; fi; cat "$HOME/queue"');
  queue('');
});
afterEach(() => rmSync(home, { recursive: true }));

function program(name: string, body: string): void {
  const path = join(home, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
}

/** Sets what the queue prints now, and what it prints once jobs were cancelled. */
function queue(now: string, after = now): void {
  writeFileSync(join(home, 'queue'), now);
  writeFileSync(join(home, 'after'), after);
}

function cancel() {
  const env = { HOME: home, PATH: `${home}:${process.env.PATH}` };
  const output = execFileSync('sh', ['-s'], { env, input: cancelScript(NAME), encoding: 'utf8' });
  const file = join(home, 'cancelled');
  return {
    output: output.trim(),
    cancelled: existsSync(file) ? readFileSync(file, 'utf8').trim() : '',
    hasFolder: existsSync(join(home, '.dstack/jobs', NAME)),
  };
}

it('cancels a job once, and removes its folder when its processes have ended', () => {
  queue('17 RUNNING\n', '17 COMPLETING\n');
  for (let i = 0; i < 3; i++) {
    expect(cancel()).toEqual({ output: 'left', cancelled: '17', hasFolder: true });
  }
  queue('');
  expect(cancel()).toEqual({ output: '', cancelled: '17', hasFolder: false });
});

it('cancels all jobs of the name that are not ending', () => {
  queue('17 COMPLETING\n18 PENDING\n19 RUNNING\n', '17 COMPLETING\n');
  expect(cancel()).toEqual({ output: 'left', cancelled: '18 19', hasFolder: true });
});

it('removes the folder of a job that has left the queue at once', () => {
  queue('17 PENDING\n', '');
  expect(cancel()).toEqual({ output: '', cancelled: '17', hasFolder: false });
});

it('keeps the folder while the queue cannot be read', () => {
  writeFileSync(join(home, 'away'), '');
  expect(cancel).toThrow();
  expect(existsSync(join(home, '.dstack/jobs', NAME))).toBe(true);
});
