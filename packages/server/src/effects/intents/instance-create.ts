import { makeInstance } from '../effects.ts';
import type { IntentDescriptor } from './descriptor.ts';
import { ON_INSTANCE } from './on-instance.ts';

export const instanceCreate: IntentDescriptor<'instance.create'> = {
  ...ON_INSTANCE,
  kind: 'instance.create',
  /** Its result may be the only record of a machine that costs money. */
  mayCancel: false,
  handle: makeInstance,
};
