import { expect, it } from 'vitest';
import { parseRunRefs, runRefs } from './run-refs.ts';

it.each([
  ['main/a,research/b', null, ['main/a', 'research/b']],
  ['a,research/b', 'main', ['main/a', 'research/b']],
  ['a', null, ['/a']],
  ['main/a,main/a, main/a ', null, ['main/a']],
  [',,main/,/', null, []],
  ['', 'main', []],
])('the address %j with project %s names %j', (text, project, named) => {
  expect(parseRunRefs(text, project).map((ref) => runRefs([ref]))).toEqual(named);
});

it('more runs than fit are left out', () => {
  expect(parseRunRefs('a,b,c,d,e,f,g,h', 'main')).toHaveLength(6);
});
