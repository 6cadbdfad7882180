import { createGroup } from '../groups.ts';
import type { IntentDescriptor } from './descriptor.ts';
import { ON_GROUP } from './on-group.ts';

export const groupCreate: IntentDescriptor<'group.create'> = {
  ...ON_GROUP,
  kind: 'group.create',
  handle: createGroup,
};
