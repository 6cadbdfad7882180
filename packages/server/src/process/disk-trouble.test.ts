import { describe, expect, it } from 'vitest';
import { forbiddenPath, isDiskFull, isOutOfFiles } from './disk-trouble.ts';

const coded = (more: object, cause?: unknown) => Object.assign(new Error('no', { cause }), more);

describe('disk errors', () => {
  it.each([
    ['the system', { code: 'ENOSPC' }],
    ['a quota', { code: 'EDQUOT' }],
    ['SQLite', { code: 'ERR_SQLITE_ERROR', errcode: 13 }],
    ['PostgreSQL', { code: '53100' }],
  ])('are recognised as a full disk by %s, at any depth', (_, more) => {
    expect(isDiskFull(coded(more))).toBe(true);
    expect(isDiskFull(new Error('start', { cause: coded(more) }))).toBe(true);
  });

  it('are not confused with other errors', () => {
    for (const error of [coded({ code: 'EACCES' }), coded({ errcode: 19 }), null, 'full']) {
      expect(isDiskFull(error)).toBe(false);
    }
  });

  it('are not confused with a lack of open files, which may be a cause too', () => {
    expect(isOutOfFiles(new Error('start', { cause: coded({ code: 'EMFILE' }) }))).toBe(true);
    expect(isOutOfFiles(coded({ code: 'ENFILE' }))).toBe(true);
    expect(isOutOfFiles(coded({ code: 'ENOSPC' }))).toBe(false);
    expect(isDiskFull(coded({ code: 'EMFILE' }))).toBe(false);
  });

  it('name the path that may not be used', () => {
    expect(forbiddenPath(coded({ code: 'EACCES', path: '/x' }))).toBe('/x');
    expect(forbiddenPath(coded({ code: 'ENOENT', path: '/x' }))).toBeNull();
    expect(forbiddenPath(undefined)).toBeNull();
  });
});
