/** All kinds of intents. A new kind is its payload in `core`, one file here, and one line below. */
import type { IntentKind } from '@dstack/core';
import type { IntentDescriptor } from './descriptor.ts';
import { gatewayCreate } from './gateway-create.ts';
import { gatewayDelete } from './gateway-delete.ts';
import { groupCreate } from './group-create.ts';
import { groupDelete } from './group-delete.ts';
import { instanceCreate } from './instance-create.ts';
import { instanceTerminate } from './instance-terminate.ts';
import { jobNotice } from './job-notice.ts';
import { jobRelease } from './job-release.ts';
import { jobRemove } from './job-remove.ts';
import { jobStart } from './job-start.ts';
import { jobStop } from './job-stop.ts';
import { volumeAttach } from './volume-attach.ts';
import { volumeCreate } from './volume-create.ts';
import { volumeDelete } from './volume-delete.ts';
import { volumeDetach } from './volume-detach.ts';
import { volumeRegister } from './volume-register.ts';

export const INTENTS = {
  'job.start': jobStart,
  'job.release': jobRelease,
  'job.stop': jobStop,
  'job.notice': jobNotice,
  'job.remove': jobRemove,
  'instance.create': instanceCreate,
  'instance.terminate': instanceTerminate,
  'group.create': groupCreate,
  'group.delete': groupDelete,
  'gateway.create': gatewayCreate,
  'gateway.delete': gatewayDelete,
  'volume.create': volumeCreate,
  'volume.register': volumeRegister,
  'volume.delete': volumeDelete,
  'volume.attach': volumeAttach,
  'volume.detach': volumeDetach,
} satisfies { readonly [K in IntentKind]: IntentDescriptor<K> };

/** The caller has an intent of this kind, so its payload fits. */
export function intentDescriptor(kind: IntentKind): IntentDescriptor {
  return INTENTS[kind] as unknown as IntentDescriptor;
}

/** The descriptor for an intent's key (`<kind>:<subject>:<attempt>`); null = of an unknown kind. */
export function descriptorOfKey(key: string): IntentDescriptor | null {
  const kind = key.slice(0, key.indexOf(':'));
  return Object.hasOwn(INTENTS, kind) ? intentDescriptor(kind as IntentKind) : null;
}
