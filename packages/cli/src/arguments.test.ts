import { expect, test } from 'vitest';
import { expandPrefixes, splitGlobalOptions } from './arguments.ts';

test.each([
  [['ps', '--project', 'x'], { project: 'x' }, ['ps']],
  [['--project=x', 'fleet', 'list'], { project: 'x' }, ['fleet', 'list']],
  [
    ['fleet', '--debug', 'list', '--color', 'never'],
    { debug: true, color: 'never' },
    ['fleet', 'list'],
  ],
  [['apply', '--', '--project', 'x'], {}, ['apply', '--', '--project', 'x']],
])('global options are found anywhere before -- (%j)', (argv, options, rest) => {
  const split = splitGlobalOptions(argv);
  expect(split.options).toEqual({ project: undefined, debug: false, color: 'auto', ...options });
  expect(split.rest).toEqual(rest);
});

test.each([[['--project']], [['--color', 'blue']]])('%j is refused', (argv) => {
  expect(() => splitGlobalOptions(argv)).toThrow('Option');
});

test.each([
  [['--verb'], ['--verbose']],
  [['--last=3'], ['--last=3']],
  [['--la=3'], ['--last=3']],
  [['--v'], ['--v']],
  [
    ['--wat', '--', '--verb'],
    ['--watch', '--', '--verb'],
  ],
  [['--re'], ['--re']],
])('%j is read as %j', (words, expected) => {
  expect(expandPrefixes(words, ['--verbose', '--watch', '--last', '--retry', '--region'])).toEqual(
    expected,
  );
});
