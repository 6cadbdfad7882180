import { describe, expect, it } from 'vitest';
import { strayError } from './stray-errors.ts';
import {
  countTests,
  describeFailures,
  describeSkipped,
  describeStrays,
  failedFiles,
  type Report,
  withSecondRun,
} from './test-report.ts';

const report = (...testResults: Report['testResults'][number][]): Report => ({
  testResults,
});
const file = (
  ...assertionResults: Report['testResults'][number]['assertionResults'][number][]
) => ({
  name: '/a.test.ts',
  status: 'failed',
  assertionResults,
});

describe('the end of a check', () => {
  it('names each failed test with the beginning of each of its errors, in one line each', () => {
    const failed = {
      status: 'failed',
      fullName: 'a host goes away',
      failureMessages: [
        'Error: no\nhost\n    at x (a.ts:1:2)',
        'Error: no\nhost\n    at x (a.ts:1:2)',
        `AssertionError: ${'y'.repeat(800)}`,
      ],
    };
    const lines = describeFailures(report(file(failed)))
      .join('\n')
      .split('\n');
    expect(lines).toEqual([
      'Failed: a host goes away',
      '  Error: no host',
      expect.stringMatching(/^ {2}AssertionError: y+…$/),
    ]);
    expect(lines[2]?.length).toBeLessThan(710);
  });

  it('names tests that passed when they were tried again, and not those that passed at once', () => {
    const passed = { status: 'passed', fullName: 'a run ends', failureMessages: [] };
    const again = { ...passed, fullName: 'a log ends', failureMessages: ['Error: late'] };
    expect(describeFailures(report(file(passed, again)))).toEqual([
      'Passed when tried again: a log ends\n  Error: late',
    ]);
  });

  it('counts a file that could not be loaded, and a missing report, as a failure', () => {
    const broken = {
      name: '/b.test.ts',
      status: 'failed',
      message: 'no such module',
      assertionResults: [],
    };
    expect(describeFailures(report(broken))).toEqual(['Not loaded: /b.test.ts\n  no such module']);
    expect(countTests(report(broken))).toEqual({ passed: 0, failed: 1, skipped: 0 });
    expect(countTests(null)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it('names tests that were skipped', () => {
    const skipped = file({ status: 'skipped', fullName: 'a disk is full', failureMessages: [] });
    expect(describeSkipped(report(skipped))).toEqual(['Skipped: a disk is full']);
  });

  it('counts what a second run of the failed files has brought, and still names the failures', () => {
    const a = (status: string, ...failureMessages: string[]) =>
      file({ status, fullName: 'a host goes away', failureMessages });
    const other = {
      name: '/b.test.ts',
      status: 'passed',
      assertionResults: [{ status: 'passed', fullName: 'b', failureMessages: [] }],
    };
    const first = report(a('failed', 'Error: busy'), other);
    expect(failedFiles(first, [])).toEqual(['/a.test.ts']);
    const passed = withSecondRun(first, report({ ...a('passed'), status: 'passed' }));
    expect(countTests(passed)).toEqual({ passed: 2, failed: 0, skipped: 0 });
    expect(describeFailures(passed)).toEqual([
      'Passed when tried again: a host goes away\n  Error: busy',
    ]);
    const failed = withSecondRun(first, report(a('failed', 'Error: missing')));
    expect(countTests(failed)).toEqual({ passed: 1, failed: 1, skipped: 0 });
    expect(describeFailures(failed)).toEqual([
      'Failed: a host goes away\n  Error: busy\n  Error: missing',
    ]);
  });

  it('names errors between tests and their files, which run once more', () => {
    const file = '/a.test.ts';
    const error = {
      name: 'Error',
      message: 'no host',
      stack: 'Error: no host\n    at x (a.ts:1:2)',
    };
    const strays = [
      strayError({ ...error, VITEST_TEST_PATH: file }),
      strayError({ message: 'refused' }),
    ];
    expect(describeStrays(strays)).toEqual([
      'An error between the tests of /a.test.ts:\n  Error: no host',
      'An error between the tests of an unknown file:\n  Error: refused',
    ]);
    const other = { name: '/b.test.ts', status: 'failed', assertionResults: [] };
    const passed = { name: file, status: 'passed', assertionResults: [] };
    expect(failedFiles(report(other, passed), strays)).toEqual(['/b.test.ts', file]);
    expect(failedFiles(report({ ...other, name: file }), strays)).toEqual([file]);
  });
});
