import { endInstance } from '../effects.ts';
import type { IntentDescriptor } from './descriptor.ts';
import { ON_INSTANCE } from './on-instance.ts';

export const instanceTerminate: IntentDescriptor<'instance.terminate'> = {
  ...ON_INSTANCE,
  kind: 'instance.terminate',
  mayCancel: false,
  handle: endInstance,
};
