import { expect, test } from 'vitest';
import { splitImageName } from './image-name.ts';

test.each([
  ['alpine:3.20', null, 'alpine:3.20'],
  ['team/tool', null, 'team/tool'],
  ['ghcr.io/team/tool@sha256:ab', 'ghcr.io', 'team/tool@sha256:ab'],
  ['registry:5000/tool', 'registry:5000', 'tool'],
  ['localhost/a/b', 'localhost', 'a/b'],
  ['localhosts/a', null, 'localhosts/a'],
  ['a/ghcr.io/b', null, 'a/ghcr.io/b'],
  ['', null, ''],
])('%j names the registry %j', (image, registryHost, rest) =>
  expect(splitImageName(image)).toEqual({ registryHost, rest }),
);
