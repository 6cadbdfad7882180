import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OpenFiles, OutOfFiles } from './open-files.ts';

let open: number | null;
let now: number;
let lines: string[];
let files: OpenFiles;
beforeEach(() => {
  [open, now, lines] = [10, 0, []];
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line).msg) });
  files = new OpenFiles({ log, limit: 100, count: () => open, now: () => now });
});
afterEach(() => files.close());

const count = (next: number | null) => {
  open = next;
  now += 1000;
  return files.isShort;
};

it('warns once at 80 % of the limit, names the setting, and reports the recovery', () => {
  for (const next of [79, 80, 85, 79]) count(next);
  expect(lines).toEqual([
    expect.stringMatching(/few open files left.*LimitNOFILE.*ulimit -n/),
    'the server has enough open files again',
  ]);
});

it('refuses new work before hosts are no longer judged', () => {
  expect(count(89)).toBe(false);
  files.admitWork();
  expect(count(90)).toBe(false);
  expect(() => files.admitWork()).toThrow(OutOfFiles);
  expect(() => files.admitWork()).toThrow(/90 of at most 100 files open.*LimitNOFILE/);
  expect(count(95)).toBe(true);
});

it('has none left if not even the count succeeds', () => {
  expect(count(null)).toBe(true);
  expect(files.open).toBe(100);
});

it('counts again only after a moment, however often it is asked', () => {
  expect(count(10)).toBe(false);
  open = 100;
  expect(files.isShort).toBe(false);
  now += 250;
  expect(files.isShort).toBe(true);
});

it('knows when it was short, from the look before to the one after', () => {
  expect(files.shortages).toEqual([]);
  count(10);
  now += 1000;
  count(95);
  now += 2000;
  expect(files.shortages.at(-1)).toMatchObject({ until: 0 });
  count(10);
  now += 4000;
  const [shortage] = files.shortages;
  expect(shortage?.until).toBe(4000);
  expect(shortage?.from).toBeGreaterThanOrEqual(6000);
  count(99);
  expect(files.shortages).toMatchObject([{ until: 5000 }, { until: 0 }]);
});

it('reports when a shortage has passed, at most once in five seconds', async () => {
  let reports = 0;
  files.onRecovered(() => {
    reports += 1;
  });
  const reportsAfter = async (next: number) => {
    count(next);
    await Promise.resolve();
    return reports;
  };
  expect(await reportsAfter(85)).toBe(0);
  expect(await reportsAfter(95)).toBe(0);
  expect(await reportsAfter(94)).toBe(1);
  expect(await reportsAfter(50)).toBe(1);
  // All links that come at once may use up the files again.
  expect(await reportsAfter(95)).toBe(1);
  expect(await reportsAfter(50)).toBe(1);
  now += 5000;
  await reportsAfter(100);
  expect(await reportsAfter(50)).toBe(2);
});
