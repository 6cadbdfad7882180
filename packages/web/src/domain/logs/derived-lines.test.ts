import { describe, expect, it } from 'vitest';
import { DerivedLines, LevelFinder } from './derived-lines.ts';
import { jsonLine } from './json-line.ts';
import { type LogLine, LogLineReader } from './line-reader.ts';
import { levelOf } from './log-level.ts';
import { lineText } from './log-search.ts';

const linesOf = (...texts: string[]): LogLine[] =>
  new LogLineReader().read(new TextEncoder().encode(texts.map((text) => `${text}\n`).join('')));
const lineOf = (text: string): LogLine => linesOf(text)[0] as LogLine;

describe('the level of a line', () => {
  it.each([
    ['2026-11-27 14:03:10,120 WARNING loader: slow', 'warning'],
    ['[ERROR] no space left', 'error'],
    ['\x1b[31merror\x1b[0m: boom', 'error'],
    ['level=debug msg="x"', 'debug'],
    ['{"severity": "Critical", "message": "x"}', 'error'],
    ['{"time":1,"level":"info"}', 'info'],
    ['E1127 14:03:10.120 1 x.cc:1] boom', 'error'],
    ['INFO:root:saved', 'info'],
    ['Traceback (most recent call last):', 'error'],
    ['no errors were found', null],
    ['the warning is over', null],
    ['terror: a film', null],
  ])('of %j is %s', (text, level) => {
    expect(levelOf(lineOf(text))).toBe(level);
  });
});

const text = (lines: readonly LogLine[]) => lines.map(lineText);

describe('the lines from a level on', () => {
  it('are those that name it or a more severe one, with the lines that continue them', () => {
    const lines = linesOf('INFO a', '  of a', 'ERROR b', '  of b', 'plain', 'WARN c', 'ERROR d');
    const errors = new DerivedLines({ least: 'error', readsJson: false });
    expect(text(errors.update(lines))).toEqual(['ERROR b', '  of b', 'ERROR d']);
    const more = [...lines, { ...lineOf('  of d'), id: 7 }, { ...lineOf('ERROR e'), id: 8 }];
    expect(text(errors.update(more))).toEqual([
      'ERROR b',
      '  of b',
      'ERROR d',
      '  of d',
      'ERROR e',
    ]);
    // Older lines in front, and forgotten ones.
    const older = [{ ...lineOf('ERROR z'), id: -1 }, ...more];
    expect(text(errors.update(older))[0]).toBe('ERROR z');
    expect(text(errors.update(more.slice(4)))).toEqual(['ERROR d', '  of d', 'ERROR e']);
  });

  it('are the list itself if all are wanted', () => {
    const lines = linesOf('a', 'b');
    expect(new DerivedLines({ least: null, readsJson: false }).update(lines)).toBe(lines);
  });
});

describe('a line of JSON', () => {
  it('has its level and message first', () => {
    const line = lineOf('{"ts":1,"level":"info","gpu":3,"msg":"saved","path":{"a":"/x"}}');
    expect(lineText(jsonLine(line))).toBe('INFO  saved  gpu=3  path={"a":"/x"}  1');
  });

  it('cannot colour itself or begin further lines', () => {
    const line = lineOf('{"msg":"\\u001b[31mred\\nsecond","a\\u001b[1m":"<b>"}');
    expect(lineText(jsonLine(line))).toBe('red⏎second  a=<b>');
    expect(jsonLine(line).text).not.toContain('\x1b[31m');
  });

  it('stays as it is if it is none', () => {
    for (const other of ['{not json}', 'plain', '[1]']) {
      const line = lineOf(other);
      expect(jsonLine(line)).toBe(line);
    }
  });
});

it('finds out whether a log has levels and JSON', () => {
  const finder = new LevelFinder();
  expect(finder.update(linesOf('a', 'b', 'x'))).toEqual({ hasLevels: false, hasJson: false });
  const lines = linesOf('a', 'b', 'ERROR c', '{"a":1}', 'x');
  expect(finder.update(lines)).toEqual({ hasLevels: true, hasJson: true });
});
