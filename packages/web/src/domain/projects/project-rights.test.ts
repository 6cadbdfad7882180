import type { Project } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { adminsOnly, managersOnly, projectRights } from './project-rights.ts';

const project = {
  members: [
    { user: { id: 'ann' }, project_role: 'manager' },
    { user: { id: 'bob' }, project_role: 'user' },
  ],
} as unknown as Project;
const rights = (id: string, global_role: 'admin' | 'user' = 'user') =>
  projectRights(project, { id, global_role });

it('follows from the role in the project, or from being a global admin', () => {
  expect(rights('ann')).toEqual({ role: 'manager', canManage: true, canAdminister: false });
  expect(rights('bob')).toEqual({ role: 'user', canManage: false, canAdminister: false });
  expect(rights('eve')).toEqual({ role: null, canManage: false, canAdminister: false });
  expect(rights('eve', 'admin')).toEqual({ role: null, canManage: true, canAdminister: true });
});

it('explains what is missing', () => {
  expect(managersOnly(rights('bob'))).toMatch(/role manager/);
  expect([managersOnly(rights('ann')), adminsOnly(rights('ann'))]).toEqual([
    null,
    'This needs the role admin in the project',
  ]);
});
