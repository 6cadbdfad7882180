import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BASE, recordedRoutes, TASK } from '../../testing/apply-run.ts';
import { startFakeServer } from '../../testing/fake-server.ts';
import { runCommand, serverEnv, withDirectory } from '../../testing/run-command.ts';

const WITH_ARGS = TASK.replace('echo started', 'echo ${{ run.args }}');

/** Runs a command in a directory with these files; returns the result and the file it applied. */
async function run(files: Readonly<Record<string, string>>, argv: readonly string[]) {
  const fake = await startFakeServer(await recordedRoutes('apply-d'));
  const result = await withDirectory(async (cwd) => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text);
    return runCommand(argv, { env: serverEnv(fake.url), cwd, home: cwd });
  });
  const sent = fake.bodyOf(`${BASE}/runs/get_plan`) as
    | { run_spec: { configuration_path: string; configuration: { commands: string[] } } }
    | undefined;
  return { ...result, applied: sent?.run_spec };
}

const apply = (...words: string[]) => ['apply', '-y', '-d', ...words];

test('a file without -f is the configuration if there is no default one', async () => {
  const { code, applied } = await run({ 'train.dstack.yml': TASK }, apply('train.dstack.yml'));
  expect(code).toBe(0);
  expect(applied?.configuration_path).toBe('train.dstack.yml');
});

test('a file without -f is the configuration if the default one has no arguments', async () => {
  const files = { '.dstack.yml': TASK, 'train.yaml': WITH_ARGS };
  const { code, applied } = await run(files, apply('train.yaml', '--', '--lr', '1'));
  expect(code).toBe(0);
  expect(applied?.configuration_path).toBe('train.yaml');
  expect(applied?.configuration.commands[0]).toBe('echo --lr 1');
});

test('a default configuration with arguments receives the name of a file as one', async () => {
  const files = { '.dstack.yml': WITH_ARGS, 'train.yml': TASK };
  const { applied } = await run(files, apply('train.yml'));
  expect(applied?.configuration_path).toBe('.dstack.yml');
  expect(applied?.configuration.commands[0]).toBe('echo train.yml');
});

test('words behind -- are never the configuration', async () => {
  const files = { '.dstack.yml': TASK, 'train.yml': TASK };
  const { code, err, applied } = await run(files, apply('--', 'train.yml'));
  expect([code, applied]).toEqual([2, undefined]);
  expect(err).toContain('.dstack.yml uses no arguments, but got: train.yml');
});

test.each([
  [['-f', 'a.yml', 'b.yml'], 'next: dstack apply -f b.yml'],
  [['-f', 'a.yml', 'fast'], 'next: write ${{ run.args }} in its commands'],
  [['fast'], 'next: write ${{ run.args }} in its commands'],
])('apply %j is refused, since the configuration uses no arguments', async (words, next) => {
  const files = { '.dstack.yml': TASK, 'a.yml': TASK, 'b.yml': TASK };
  const { code, err, applied } = await run(files, apply(...words));
  expect([code, applied]).toEqual([2, undefined]);
  expect(err).toContain('uses no arguments');
  expect(err).toContain(next);
});

test('dstack delete accepts the file without -f too', async () => {
  const { err } = await run({ 'train.yml': TASK }, ['delete', 'train.yml', '-y']);
  expect(err).toContain('Run cdd080 is submitted');
  const { code, err: refused } = await run({ '.dstack.yml': TASK }, ['delete', 'train', '-y']);
  expect(code).toBe(2);
  expect(refused).toContain('"train" is not a configuration file');
});
