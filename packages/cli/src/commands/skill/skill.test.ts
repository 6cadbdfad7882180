import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand, withDirectory } from '../../testing/run-command.ts';

test('skills are listed with what they are for', async () => {
  const { out, code } = await runCommand(['skill', 'list']);
  expect(code).toBe(0);
  expect(out).toMatch(/^dstack-debugging\n {2}Find out why a dstack run waits/m);
});

test('skills are installed where agents look for them', async () => {
  await withDirectory(async (cwd) => {
    const { err, code } = await runCommand(['skill', 'install'], { cwd });
    expect(code).toBe(0);
    const path = join(cwd, '.claude', 'skills', 'dstack', 'SKILL.md');
    expect(err).toContain(`Installed ${join(cwd, '.claude', 'skills', 'dstack')}`);
    expect(await readFile(path, 'utf8')).toMatch(/^---\nname: dstack\n/);
  });
});

test('one skill can be installed into a folder, or for all projects', async () => {
  await withDirectory(async (home) => {
    const argv = ['skill', 'install', 'dstack-debugging'];
    const own = await runCommand([...argv, '--global'], { home, cwd: home });
    expect(own.err).toBe(`Installed ${join(home, '.claude', 'skills', 'dstack-debugging')}\n`);
    const named = await runCommand([...argv, '--dir', 'agents'], { home, cwd: home });
    expect(named.err).toBe(`Installed ${join(home, 'agents', 'dstack-debugging')}\n`);
  });
});

test('an unknown skill is refused with the known ones', async () => {
  const { err, code } = await runCommand(['skill', 'install', 'cooking']);
  expect(code).toBe(3);
  expect(err).toContain('known: dstack, dstack-configurations, dstack-debugging');
});
