import type { Project } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { maySetQuotas, type QuotaRight, quotaRight, rightReason } from './quota-rights.ts';

const project = (project_name: string, project_role: string) =>
  ({ project_name, members: [{ user: { id: 'ann' }, project_role }] }) as unknown as Project;
const PROJECTS = [project('lab', 'manager'), project('main', 'user')];
const ann = { id: 'ann', global_role: 'user' } as const;

it.each<[string, string | null, string | null, QuotaRight]>([
  ['lab', null, null, 'none'],
  ['lab', null, '*', 'terms'],
  ['lab', 'pool', 'ben', 'terms'],
  ['main', null, '*', 'none'],
  ['main', 'lab/pool', null, 'limit'],
  ['other', 'lab/pool', '*', 'limit'],
  ['lab', 'main/pool', null, 'none'],
  ['lab', 'lab/pool', null, 'none'],
])(
  'a manager of lab may set, of %s on %s for %s: %s',
  (project_name, fleet_name, user_name, right) => {
    const place = { project_name, fleet_name, user_name };
    expect(quotaRight(place, PROJECTS, ann)).toBe(right);
    expect(quotaRight(place, [], { id: 'eve', global_role: 'admin' })).toBe('all');
  },
);

it('is asked for only of those who may set something', () => {
  expect(maySetQuotas(PROJECTS, ann)).toBe(true);
  expect(maySetQuotas([project('main', 'user')], ann)).toBe(false);
});

it('names who can help', () => {
  const place = { project_name: 'lab', fleet_name: null, user_name: null };
  expect(rightReason(place)).toContain('Global admins');
  expect(rightReason({ ...place, user_name: '*' })).toContain('Managers of the project');
  expect(rightReason({ ...place, fleet_name: 'main/pool' })).toContain('owns the fleet');
});
