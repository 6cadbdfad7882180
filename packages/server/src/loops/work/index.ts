/** All kinds of work. A new kind is its name in `core`, one file here, and one line below. */
import type { WorkKind } from '@dstack/core';
import { capacity } from './capacity.ts';
import type { WorkDescriptor } from './descriptor.ts';
import { fleet } from './fleet.ts';
import { gateway } from './gateway.ts';
import { group } from './group.ts';
import { instance } from './instance.ts';
import { intent } from './intent.ts';
import { observation } from './observation.ts';
import { placement } from './placement.ts';
import { pool } from './pool.ts';
import { run } from './run.ts';
import { volume } from './volume.ts';
import { volumeObservation } from './volume-observation.ts';

export const WORK: { readonly [K in WorkKind]: WorkDescriptor<K> } = {
  run,
  placement,
  capacity,
  pool,
  instance,
  observation,
  fleet,
  volume,
  'volume-observation': volumeObservation,
  gateway,
  group,
  intent,
};

export const WORK_KINDS = Object.keys(WORK) as WorkKind[];
