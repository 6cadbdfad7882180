import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { crashReport } from './crash.ts';

test('an error that nobody caught is told with its trace, without the source', () => {
  const text = crashReport(new Error('no such thing'));
  expect(text).toMatch(
    /^error: no such thing\n {2}why: .*\n {2}next: report it.*\n {4}at .*crash\.test\.ts/,
  );
});

test('what is no error is told too', () => {
  expect(crashReport('odd')).toBe('error: odd\n  why:  this was not expected\n  next: report it\n');
});

test('the process ends with 1 and nothing else on its errors', () => {
  const crash = new URL('./crash.ts', import.meta.url).href;
  const script = `
    import { endOnCrash } from '${crash}';
    endOnCrash(process);
    setTimeout(() => { throw new Error('late'); });
  `;
  const args = ['--input-type=module-typescript', '--eval', script];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^error: late\n/);
});
