import { expect, it } from 'vitest';
import { sectionOf } from './navigation.ts';

it.each([
  ['/', '/'],
  ['/runs', '/runs'],
  ['/runs/launch', '/runs'],
  ['/queue', '/queue'],
  ['/board', '/board'],
  ['/quotas', '/quotas'],
  ['/projects', '/projects'],
  ['/projects/main/members', '/projects'],
  ['/projects/main/runs/train/logs', '/runs'],
  ['/projects/main/fleets/add', '/fleets'],
  ['/projects/main/instances/0', '/instances'],
  ['/projects/main/models/chat', '/services'],
  ['/users/ann', '/users'],
  ['/nowhere', null],
])('the page %s is in the section %s', (path, section) => {
  expect(sectionOf(path)).toBe(section);
});
