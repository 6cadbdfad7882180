import { expect, it } from 'vitest';
import { isNamedBy, objectName } from './labels.ts';

it('an object has the name of its key, and a copy of it under another name does not', () => {
  const name = objectName(['main', 'train-0-0'], 'instance.create:1:0');
  expect(isNamedBy(name, 'instance.create:1:0')).toBe(true);
  expect(isNamedBy(name, 'instance.create:2:0')).toBe(false);
  expect(isNamedBy(name, null)).toBe(false);
  expect(isNamedBy(`${name}-copy`, 'instance.create:1:0')).toBe(false);
  expect(isNamedBy('train', 'instance.create:1:0')).toBe(false);
});
