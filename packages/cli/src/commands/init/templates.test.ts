import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand, withDirectory } from '../../testing/run-command.ts';
import { INIT_TEMPLATES } from './templates.ts';

test.each(Object.keys(INIT_TEMPLATES))('the template %s is a valid configuration', (name) =>
  withDirectory(async (cwd) => {
    const init = (...more: string[]) => runCommand(['init', '--template', name, ...more], { cwd });
    const { code, err } = await init();
    const file = INIT_TEMPLATES[name]?.file ?? '';
    expect([code, err]).toEqual([0, expect.stringContaining(`dstack apply -f ${file}`)]);
    const validated = await runCommand(['validate', file], { cwd });
    expect([validated.code, validated.err]).toEqual([0, expect.not.stringContaining('warning')]);
    const again = await init();
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('--force')]);
    expect((await init('--force')).code).toBe(0);
    expect(await readFile(join(cwd, file), 'utf8')).toBe(INIT_TEMPLATES[name]?.text);
  }),
);

test('an unknown template is refused with the known ones', async () => {
  const { code, err } = await runCommand(['init', '--template', 'nope']);
  expect([code, err]).toEqual([
    2,
    expect.stringContaining('hello, dev, service, train, cluster, fleet'),
  ]);
});
