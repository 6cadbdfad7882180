import { describe, expect, it } from 'vitest';
import { countTests, describeFailures, type Report } from './test-report.ts';

const report = (...testResults: Report['testResults'][number][]): Report => ({
  numPassedTests: 1,
  numFailedTests: 1,
  numPendingTests: 0,
  numTodoTests: 0,
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
        `AssertionError: ${'y'.repeat(500)}`,
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
    expect(lines[2]?.length).toBeLessThan(410);
  });

  it('names tests that passed at the second try, and not those that passed at once', () => {
    const passed = { status: 'passed', fullName: 'a run ends', failureMessages: [] };
    const again = { ...passed, fullName: 'a log ends', failureMessages: ['Error: late'] };
    expect(describeFailures(report(file(passed, again)))).toEqual([
      'Passed at the second try: a log ends\n  Error: late',
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
    expect(countTests(report(broken))).toEqual({ passed: 1, failed: 2, skipped: 0 });
    expect(countTests(null)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });
});
