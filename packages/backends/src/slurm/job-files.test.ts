import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { filesScript } from './job-files.ts';
import { beforeFolders } from './job-table.ts';

const NAMES = ['dstack-main-train-0-0123456789ab', 'dstack-main-train-1-0123456789ab'] as const;

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'job-files-'));
  for (const name of NAMES)
    mkdirSync(join(home, '.dstack/jobs', name, 'agent'), { recursive: true });
});
afterEach(() => rmSync(home, { recursive: true }));

const path = (index: 0 | 1, file: string) => join(home, '.dstack/jobs', NAMES[index], file);
const look = (before: string, programs = process.env.PATH) => {
  const env = { HOME: home, PATH: programs };
  const input = filesScript(NAMES, before);
  return beforeFolders(execFileSync('/bin/sh', ['-s'], { env, input, encoding: 'utf8' }));
};

it('reports the files of jobs, and where agents listen once a file is new', () => {
  expect(look('')).toEqual(['', null]);
  writeFileSync(path(0, 'output.log'), '');
  const [begun, folders] = look('');
  expect(begun).toBe(`${path(0, 'output.log')}\n`);
  expect(folders?.tunnels.size).toBe(0);
  writeFileSync(path(1, 'agent/tunnel.12'), '{"host":"cpu-1","port":7000}');
  const [both, places] = look(begun);
  expect(both).toBe(`${path(0, 'output.log')}\n${path(1, 'agent/tunnel.12')}\n`);
  expect(places?.tunnels.get(NAMES[1])?.get(12)).toEqual({ host: 'cpu-1', port: 7000 });
  expect(look(both)).toEqual([both, null]);
});

it('starts no program until a file is new', () => {
  writeFileSync(path(0, 'output.log'), '');
  const [begun] = look('');
  expect(look(begun, '/nowhere')).toEqual([begun, null]);
});

it('does not follow what a job has put in the place of its tunnel file', () => {
  writeFileSync(path(0, 'secret'), '{"host":"evil","port":1}');
  symlinkSync(path(0, 'secret'), path(0, 'agent/tunnel.0'));
  const [, folders] = look('');
  expect(folders?.tunnels.size).toBe(0);
});
