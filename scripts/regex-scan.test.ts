import { describe, expect, it } from 'vitest';
import { regexesOf, verdictOf } from './regex-scan.ts';

describe('regular expressions of a source', () => {
  it('are found anywhere except in comments and strings', () => {
    const source =
      "// /a/\nconst x = '/b/'; type T = 'y'; const f = (t: string) => t.split(/c+/gi);";
    expect(regexesOf('x.ts', source)).toEqual([{ file: 'x.ts', pattern: 'c+', flags: 'gi' }]);
  });

  it.each(['\\$\\{\\{([^}]*)\\}\\}', '\\s*,\\s*', '^(a+)+$'])(
    'that are not linear are reported: %s',
    (pattern) => {
      expect(verdictOf({ file: 'x.ts', pattern, flags: '' })).not.toBeNull();
    },
  );

  it('that are linear pass', () => {
    expect(verdictOf({ file: 'x.ts', pattern: '^[a-z][a-z0-9-]{1,40}$', flags: '' })).toBeNull();
  });
});
