import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { runCommand, withDirectory } from '../../testing/run-command.ts';

const TASK = 'type: task\nname: fine\ncommands: [ls]\n';

type Files = Readonly<Record<string, string>>;

const validate = (files: Files, ...more: string[]) => validateIn(undefined, files, ...more);

/** `terminal`: its columns. */
function validateIn(terminal: number | undefined, files: Files, ...more: string[]) {
  return withDirectory(async (cwd) => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text);
    return runCommand(['validate', ...Object.keys(files), ...more], { cwd, terminal });
  });
}

test('every file is checked, also after one that is not valid', async () => {
  const bad = TASK.replace('commands', 'comands');
  const { code, err } = await validate({ 'a.yml': TASK, 'b.yml': bad, 'c.yml': TASK });
  expect(code).toBe(1);
  expect(err).toContain('a.yml: valid (task)');
  expect(err).toContain('error: b.yml is not valid');
  expect(err).toContain("did you mean 'commands'?");
  expect(err).toMatch(/c\.yml: valid \(task\)\n2 valid, 1 not valid\n$/);
});

test('problems are wrapped at words in a narrow terminal, lines of the file are not', async () => {
  const line = `comands: [${'echo, '.repeat(12)}ls]`;
  const { err } = await validateIn(60, { 'a.yml': `type: task\n${line}\n` });
  expect(err).toContain(`\n2 | ${line}\n`);
  const wrapped = stripVTControlCharacters(err)
    .split('\n')
    .filter((one) => !one.includes('echo, echo'));
  expect(Math.max(...wrapped.map((one) => one.length))).toBeLessThanOrEqual(60);
});

test('a missing file does not end the check of the others', async () => {
  const { code, err } = await validate({ 'a.yml': TASK }, 'none.yml', 'a.yml');
  expect(code).toBe(1);
  expect(err).toContain('Cannot read none.yml');
  expect(err).toMatch(/2 valid, 1 not valid\n$/);
});

test.each([
  ['a name', TASK.replace('fine', 'Not_Fine'), 'name will be refused by the server'],
  ['a directory', `${TASK}working_dir: src\n`, 'working_dir will be refused by the CLI'],
  ['a fleet', 'type: fleet\nname: ff\n', 'has neither nodes nor ssh_config'],
])('%s that will be refused makes a file not valid', async (_what, text, message) => {
  const { code, err } = await validate({ 'a.yml': text });
  expect(code).toBe(1);
  expect(err).toContain('error: a.yml is not valid');
  expect(err).toContain(message);
  expect(err).not.toContain(': valid');
});

test('an unknown GPU is noted with the nearest known one', async () => {
  const text = `${TASK}resources:\n  gpu: H1000:2\n`;
  const { code, err } = await validate({ 'a.yml': text });
  expect(code).toBe(0);
  expect(err).toContain("resources.gpu names an unknown GPU 'H1000' (did you mean H100?)");
  expect((await validate({ 'a.yml': text.replace('H1000', 'h100,tpu-v2-8') })).err).toContain(
    'a.yml: valid',
  );
});

test('GPU names of SSH hosts and of fleets are noted, not refused', async () => {
  const text = 'type: fleet\nname: ff\nnodes: 1\nresources:\n  gpu: RTX4O90\n';
  const { code, err } = await validate({ 'f.yml': text });
  expect(code).toBe(0);
  expect(err).toContain("names an unknown GPU 'RTX4O90' (did you mean RTX4090?)");
});
