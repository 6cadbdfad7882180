import { deleteGroup } from '../groups.ts';
import type { IntentDescriptor } from './descriptor.ts';
import { ON_GROUP } from './on-group.ts';

export const groupDelete: IntentDescriptor<'group.delete'> = {
  ...ON_GROUP,
  kind: 'group.delete',
  handle: deleteGroup,
};
