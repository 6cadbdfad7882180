import { deployHost } from '../effects.ts';
import type { IntentDescriptor } from './descriptor.ts';
import { ON_INSTANCE } from './on-instance.ts';

export const hostDeploy: IntentDescriptor<'host.deploy'> = {
  ...ON_INSTANCE,
  kind: 'host.deploy',
  mayCancel: false,
  handle: deployHost,
};
