import type { OrphanRecord, SweepRecord } from '@dstack/core';
import { table } from './table.ts';

export const sweepTable = table<SweepRecord>()('sweeps', {
  projectId: 'plain',
  backend: 'plain',
  sweptAt: 'plain',
  nextAt: 'plain',
  failures: 'plain',
  error: 'plain',
  nonces: 'json',
  hindrance: 'plain',
});

export const orphanTable = table<OrphanRecord>()('orphans', {
  id: 'plain',
  projectId: 'plain',
  backend: 'plain',
  kind: 'plain',
  handle: 'json',
  region: 'plain',
  owner: 'json',
  key: 'plain',
  firstSeenAt: 'plain',
  lastSeenAt: 'plain',
  reportedAt: 'plain',
  endRequestedAt: 'plain',
  error: 'plain',
});
