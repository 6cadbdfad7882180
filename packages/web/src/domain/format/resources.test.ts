import { expect, it } from 'vitest';
import { placedText } from './resources.ts';

it('names a type and its place, and a name of both once', () => {
  expect(placedText('p5', 'aws')).toBe('p5 on aws');
  expect(placedText('local', 'local')).toBe('local');
  expect(placedText(null, 'ssh')).toBe('ssh');
});
