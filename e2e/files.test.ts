import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '@dstack/testkit';
import { runGit } from '@dstack/testkit/git-hosts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyFleet, configuration, newInstallation, sharedFolder } from './installation.ts';

describe('local files in a run', () => {
  let home: Installation;
  let number = 0;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home, '0..2');
    const code = join(home.home, 'code');
    for (const folder of ['.git', '.hidden', 'empty', 'sub']) {
      mkdirSync(join(code, folder), { recursive: true });
    }
    const texts = {
      'main.py': 'print(1)\n',
      'sub/data.txt': 'data\n',
      'skip.log': 'no',
      'sub/skip.tmp': 'no',
      'sub/keep.log': 'yes',
      '.gitignore': '*.log\n!sub/keep.log\n',
      '.dstackignore': '*.tmp\n',
      '.git/config': 'no',
      '.hidden/file': 'yes',
      'run.sh': '#!/bin/sh\n',
    };
    for (const [path, text] of Object.entries(texts)) writeFileSync(join(code, path), text);
    chmodSync(join(code, 'run.sh'), 0o755);
    writeFileSync(join(home.home, 'outside'), 'from outside\n');
    symlinkSync('../outside', join(code, 'out'));
    symlinkSync('main.py', join(code, 'in'));
  });
  afterAll(() => home?.dispose());

  async function run(commands: string[], more: string) {
    const name = `files-${++number}`;
    const task = `type: task\nname: ${name}\ncommands: ${JSON.stringify(commands)}\n`;
    const file = configuration(home, `${name}.dstack.yml`, `${task}resources:\n  gpu: 0\n${more}`);
    return home.dstack(['apply', '-f', file, '-y']);
  }

  it('are all files that are not ignored, with modes and links', async () => {
    const find = "cd code && find . -not -name '.*ignore' | LC_ALL=C sort | tr '\\n' ' '";
    const tests = ['cat out', 'readlink in', 'test -x run.sh', 'test ! -x main.py'];
    const { code, stdout, stderr } = await run([find, ...tests], 'files: [code]\n');
    expect(stderr).toContain('exited (0)');
    expect(code).toBe(0);
    const expected = [
      '. ./.hidden ./.hidden/file ./empty ./in ./main.py ./out ./run.sh ./sub',
      './sub/data.txt ./sub/keep.log',
    ];
    expect(stdout).toContain(expected.join(' '));
    expect(stdout).toMatch(/from outside\s+main\.py/);
  });

  it('are placed at their mapped path: relative, in the home, anywhere', async () => {
    // Every user may write to `/tmp`; jobs of a server started by root have a `/tmp` of their own.
    const target = `/tmp/dstack-anywhere-${process.pid}`;
    const files = ['code/main.py:lib/app.py', '~/code/sub:~/data', `code:${target}`];
    const commands = ['cat lib/app.py', 'cat ~/data/data.txt', `cat ${target}/main.py`];
    const { code, stdout } = await run(commands, `files: ${JSON.stringify(files)}\n`);
    expect(code).toBe(0);
    expect(stdout).toMatch(/print\(1\)\s+data\s+print\(1\)/);
    rmSync(target, { recursive: true, force: true });
  });

  it('never replace files of the host, in particular not their own source', async () => {
    const shared = sharedFolder(home);
    const project = join(shared, 'project');
    runGit(shared, 'init', '-q', 'project');
    writeFileSync(join(project, '.gitignore'), 'weights\n');
    writeFileSync(join(project, 'weights'), 'a week of work\n');
    const all = () => execFileSync('ls', ['-lAR', '--full-time', project], { encoding: 'utf8' });
    const before = all();
    const targets = [project, `${project}/weights`, 'code/main.py:/'];
    const { code, stderr } = await run(['true'], `files: ${JSON.stringify(targets)}\n`);
    expect(code).toBe(1);
    expect(stderr).toContain(`${project} exists and is not empty; ${project}/weights exists`);
    expect(stderr).toContain('/ exists and is not empty');
    expect(all()).toBe(before);
    const inside = await run(
      ['true'],
      `working_dir: ${project}\nfiles: [${project}/weights:weights]\n`,
    );
    expect([inside.code, all()]).toEqual([1, before]);
  });

  it('are relative to the directory of the run, which may be in the home', async () => {
    const more = 'working_dir: ~/work/here\nfiles: [code/main.py]\n';
    const { code, stdout } = await run(['pwd', 'cat code/main.py'], more);
    expect(stdout).toMatch(/\/home\/work\/here\s+print\(1\)/);
    expect(code).toBe(0);
  });

  it('must exist and be small enough', async () => {
    const absent = await run(['true'], 'files: [nothing-here]\n');
    expect(absent.code).toBe(1);
    expect(absent.stderr).toMatch(/Cannot read \S+nothing-here/);
    mkdirSync(join(home.home, 'heavy'));
    writeFileSync(join(home.home, 'heavy', 'weights'), Buffer.alloc(3 * 1024 * 1024));
    const heavy = await run(['true'], 'files: [heavy]\n');
    expect(heavy.code).toBe(1);
    expect(heavy.stderr).toMatch(/limit|accepts/);
    expect(heavy.stderr).toMatch(/heavy\/weights \(3\.0 MB\)[\s\S]*\.dstackignore/);
  });
});

describe('secrets in a run', () => {
  let home: Installation;
  beforeAll(async () => {
    home = newInstallation();
    await home.startServer();
    await applyFleet(home);
    await home.ok('secret', 'set', 'one', 's3cr3t-value');
    await home.ok('secret', 'set', 'lines', 'first-secret-line\nsecond-secret-line');
  });
  afterAll(() => home?.dispose());

  it('are available to the job and masked in every kind of output', async () => {
    const commands = [
      'test "$ONE" = s3cr3t-value',
      'echo "one=$ONE"; echo "$LINES_"',
      // In pieces, each read separately.
      'printf s3cr; sleep 0.3; printf et; sleep 0.1; printf "\\n"',
      'printf s3cr3t; sleep 0.7; printf -- "-val"; sleep 0.7; echo ue',
    ];
    const env = 'env:\n  ONE: "${{ secrets.one }}"\n  LINES_: "${{ secrets.lines }}"\n';
    const yaml = `type: task\nname: hush\ncommands: ${JSON.stringify(commands)}\n${env}resources: {gpu: 0}\n`;
    const file = configuration(home, 'hush.dstack.yml', yaml);
    const { code, stdout } = await home.dstack(['apply', '-f', file, '-y']);
    expect(code).toBe(0);
    const stored = await home.ok('logs', 'hush');
    for (const text of [stdout, stored]) {
      expect(text).toContain('one=***');
      expect(text).not.toMatch(/s3cr3t-value|secret-line/);
    }
  });
});
