/** The commands of the guides and skill files, carried out in the order in which readers copy them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shellLines } from '../scripts/docs/shell-lines.ts';
import { FOLLOWING, fixtures, NOT_RUN, QUEUED, replaced, WAITING } from './guides.ts';
import {
  dstack,
  isFinished,
  isRunning,
  newInstallation,
  showRun,
  untilRun,
} from './installation.ts';

const root = resolve(import.meta.dirname, '..');
const PAGES = [
  ...['quickstart', 'first-run', 'users', 'tokens', 'ci', 'secrets', 'volumes'],
  ...['runs', 'logs', 'events', 'costs', 'doctor', 'health'],
  ...['json-output', 'dev-environments', 'backends', 'agents'],
].map((name) => `docs/${name}.md`);
const SKILLS = ['dstack', 'dstack-configurations', 'dstack-debugging'].map(
  (name) => `skills/${name}/SKILL.md`,
);

const found = [...SKILLS, ...PAGES].map((file) => {
  const lines = shellLines(readFileSync(join(root, file), 'utf8'));
  return [file, lines.filter((line) => !NOT_RUN.has(line))] as const;
});

describe('commands that readers copy', () => {
  let home: Installation;
  let bin: string;
  let shared: string | undefined;
  /** The program of run `train` ends when this file exists. */
  let end: string;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    bin = join(home.home, 'bin');
    mkdirSync(bin);
    symlinkSync(dstack, join(bin, 'dstack'));
    // Jobs of a server started by root have folders for temporary files of their own.
    shared = process.getuid?.() === 0 ? mkdtempSync('/var/lib/dstack-test-') : home.home;
    chmodSync(shared, 0o755);
    end = join(shared, 'end');
    for (const [name, text] of Object.entries(fixtures(end))) {
      mkdirSync(join(home.home, name, '..'), { recursive: true });
      writeFileSync(join(home.home, name), text);
    }
    await home.ok('apply', '-f', 'fleet.dstack.yml', '-y');
  });
  afterAll(async () => {
    await home?.dispose();
    if (shared !== undefined) rmSync(shared, { recursive: true, force: true });
  });

  const exists = async (...args: string[]) => (await home.dstack(args)).code === 0;

  let isGated = false;

  /** Run `train` waits for run `gate` as long as lines need it so. */
  async function setGate(isWanted: boolean): Promise<void> {
    if (isWanted === isGated) return;
    isGated = isWanted;
    const abort = (run: string) => home.dstack(['stop', run, '--abort', '-y', '--wait']);
    if (!isWanted) {
      await abort('gate');
      return;
    }
    await abort('train');
    for (const run of ['gate', 'waiting']) {
      await home.ok('apply', '-f', `${run}.dstack.yml`, '-y', '-d');
    }
  }

  /** Creates the objects that a line needs, and removes those that would be in its way. */
  async function prepare(line: string): Promise<void> {
    rmSync(end, { force: true });
    await setGate(QUEUED.test(line));
    if (isGated) return;
    if (line.startsWith('dstack init'))
      rmSync(join(home.home, 'hello.dstack.yml'), { force: true });
    const has = (word: string) => new RegExp(`(?<![\\w.-])${word}(?![\\w.])`).test(line);
    const [, starts] = /^dstack apply .*?(\w+)\.dstack\.yml/.exec(line) ?? [];
    if (starts !== undefined && (await exists('run', 'get', starts))) {
      await home.dstack(['stop', starts, '--abort', '-y', '--wait']);
    }
    if (has('(lab|lab-0)') && !(await exists('fleet', 'get', 'lab'))) {
      await home.ok('apply', '-f', 'lab.dstack.yml', '-y');
    }
    if (has('data') && !(await exists('volume', 'get', 'data'))) {
      await home.ok('apply', '-f', 'volume.dstack.yml', '-y');
    }
    if (has('ann') && !line.includes('user add')) {
      await home.dstack(['user', 'add', 'ann']);
      if (!line.includes('member add')) await home.dstack(['project', 'member', 'add', 'ann']);
    }
    if (has('token delete ci')) await home.dstack(['token', 'create', 'ci']);
    if (has('secret delete hf_token')) await home.dstack(['secret', 'set', 'hf_token', 'value']);
    if (starts !== undefined) return;
    for (const run of ['train', 'train-0-0']) {
      if (has(run)) await untilStarted(run.replace('-0-0', ''));
    }
    if (has('hello') && !(await exists('run', 'get', 'hello'))) {
      await home.ok('apply', '-f', 'hello.dstack.yml', '-y');
    }
  }

  async function untilStarted(run: string): Promise<void> {
    const present = (await exists('run', 'get', run)) && !isFinished(await showRun(home, run));
    if (!present) await home.ok('apply', '-f', `${run}.dstack.yml`, '-y', '-d');
    await untilRun(home, run, isRunning);
  }

  async function carryOut(line: string) {
    const text = replaced(line, home.url, home.token());
    const child = spawn('sh', ['-c', text], {
      cwd: home.home,
      detached: true,
      env: { ...home.env, PATH: `${bin}:${process.env.PATH}`, CI_JOB_ID: '77' },
    });
    const interrupt = () => child.pid !== undefined && process.kill(-child.pid, 'SIGINT');
    let output = '';
    const onOutput = (chunk: Buffer) => {
      if (FOLLOWING.test(line) && output === '') interrupt();
      output += chunk;
    };
    child.stdout.on('data', onOutput);
    child.stderr.on('data', onOutput);
    // A command that reads nothing may have ended.
    child.stdin.on('error', () => {});
    child.stdin.end('y\ny\ny\n');
    if (WAITING.test(line)) writeFileSync(end, '');
    const [code] = await once(child, 'close');
    return { code, output };
  }

  it.each(found)(
    'of %s do what the page describes',
    async (_file, lines) => {
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) {
        await prepare(line);
        const { code, output } = await carryOut(line);
        const expected = FOLLOWING.test(line) ? code : 0;
        expect({ code, output }, `${line}\n${output}`).toEqual({
          ...{ code: expected, output: expect.anything() },
        });
      }
    },
    90_000,
  );

  it('and that are not carried out are still in the pages', () => {
    const all = [...SKILLS, ...PAGES].flatMap((file) =>
      shellLines(readFileSync(join(root, file), 'utf8')),
    );
    expect([...NOT_RUN.keys()].filter((line) => !all.includes(line))).toEqual([]);
  });
});
