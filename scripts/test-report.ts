import { readFileSync } from 'node:fs';
import type { StrayError } from './stray-errors.ts';

/** The part of Vitest's JSON report that is read here. */
export interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** `null` if the runner died before it could write a report. */
export function readReport(path: string): Report | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** A missing report, and a file that could not be loaded, count as one failed test each. */
export function countTests(report: Report | null): {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
} {
  if (!report) return { passed: 0, failed: 1, skipped: 0 };
  const statuses = tests(report).map(({ status }) => status);
  const passed = statuses.filter((status) => status === 'passed').length;
  const failed = statuses.filter((status) => status === 'failed').length;
  return {
    passed,
    failed: failed + unloaded(report).length,
    skipped: statuses.length - passed - failed,
  };
}

/** Paths of the files with a failure, or with an error between their tests. */
export function failedFiles(report: Report, strays: readonly StrayError[]): readonly string[] {
  const failed = report.testResults.filter(({ status }) => status === 'failed');
  const files = [...failed.map(({ name }) => name), ...strays.map(({ file }) => file)];
  return [...new Set(files)].filter((file) => file !== null);
}

/** The results after `again`, which ran some of the files once more; failures of both remain known. */
export function withSecondRun(first: Report, again: Report): Report {
  const errors = new Map<string, readonly string[]>();
  for (const { fullName, failureMessages } of tests(first)) errors.set(fullName, failureMessages);
  const results = new Map(first.testResults.map((file) => [file.name, file]));
  for (const file of again.testResults) {
    const assertionResults = file.assertionResults.map((test) => ({
      ...test,
      failureMessages: [...(errors.get(test.fullName) ?? []), ...test.failureMessages],
    }));
    results.set(file.name, { ...file, assertionResults });
  }
  return { testResults: [...results.values()] };
}

/**
 * A line for each test that failed, and for each that passed only when it was tried again, which is a fault to
 * look for: with the beginning of every error, since the full text may be far above the end.
 */
export function describeFailures(report: Report): readonly string[] {
  const retried = tests(report).filter(
    ({ status, failureMessages }) => status === 'passed' && failureMessages.length > 0,
  );
  return [
    ...retried.map((test) => describe('Passed when tried again', test)),
    ...tests(report)
      .filter(({ status }) => status === 'failed')
      .map((test) => describe('Failed', test)),
    ...unloaded(report).map(
      ({ name, message }) => `Not loaded: ${name}${beginning(message ?? '')}`,
    ),
  ];
}

export function describeSkipped(report: Report): readonly string[] {
  return tests(report)
    .filter(({ status }) => status !== 'passed' && status !== 'failed')
    .map(({ fullName }) => `Skipped: ${fullName}`);
}

export function describeStrays(strays: readonly StrayError[]): readonly string[] {
  return strays.map(
    ({ file, message }) =>
      `An error between the tests of ${file ?? 'an unknown file'}:${beginning(message)}`,
  );
}

function tests({ testResults }: Report) {
  return testResults.flatMap(({ assertionResults }) => assertionResults);
}

function unloaded(report: Report) {
  return report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
}

function describe(
  outcome: string,
  test: { readonly fullName: string; readonly failureMessages: readonly string[] },
): string {
  return `${outcome}: ${test.fullName}${[...new Set(test.failureMessages.map(beginning))].join('')}`;
}

/** Enough to distinguish causes, without the stack and in one line. */
const MAX_ERROR_CHARS = 700;

function beginning(message: string): string {
  const [text = ''] = message.split(/\n\s+at /);
  const line = text.replace(/\s+/g, ' ').trim();
  if (line === '') return '';
  return `\n  ${line.length > MAX_ERROR_CHARS ? `${line.slice(0, MAX_ERROR_CHARS)}…` : line}`;
}
