import { expect, it } from 'vitest';
import { usualProject } from './usual-project.ts';

/** The newest first, as the server lists them. */
const NAMES = ['sandbox', 'main', 'research'];

it('is the one that was used last, as long as the user is in it', () => {
  expect(usualProject(NAMES, 'research')).toBe('research');
  expect(usualProject(NAMES, 'deleted')).toBe('main');
});

it('is the main one, else the oldest, where none was used yet', () => {
  expect(usualProject(NAMES, null)).toBe('main');
  expect(usualProject(['sandbox', 'research'], null)).toBe('research');
  expect(usualProject([], 'main')).toBeNull();
});
