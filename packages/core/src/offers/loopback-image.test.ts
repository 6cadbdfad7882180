import { expect, it } from 'vitest';
import { isLoopbackImage } from './loopback-image.ts';

it.each([
  'localhost/x',
  'localhost:5000/a/b:1',
  '127.0.0.1:5000/x',
  '127.9.9.9/x',
  'a.localhost/x',
  '[::1]:5000/x',
])('%s is an image of a registry on loopback', (image) =>
  expect(isLoopbackImage(image)).toBe(true),
);

it.each([
  'ubuntu',
  'localhosts.com/x',
  'ghcr.io/127.0.0.1/x',
  '10.0.0.1:5000/x',
  'a/localhost',
  '128.0.0.1/x',
])('%s is not', (image) => expect(isLoopbackImage(image)).toBe(false));
