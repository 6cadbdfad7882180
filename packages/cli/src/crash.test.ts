import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { crashReport } from './crash.ts';

test('an uncaught error is reported with its trace, without the source line', () => {
  const text = crashReport(new Error('no such thing'));
  expect(text).toMatch(
    /^error: no such thing\n {2}why: .*\n {2}next: report it.*\n {4}at .*crash\.test\.ts/,
  );
});

test('a thrown value that is not an error is reported too', () => {
  expect(crashReport('odd')).toBe(
    'error: odd\n  why:  dstack did not expect this error\n  next: report it\n',
  );
});

test('the process ends with 1 and prints nothing else to stderr', () => {
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
