/**
 * Started as a separate process: writes decisions in an endless loop and prints a number after each
 * applied one. Arguments: database URL, run id, job id.
 */

import { openStore } from '../open-store.ts';
import { NO_MEMORY, newEvent, runTarget } from './records.ts';
import { storeOptions } from './store-options.ts';

const [url = '', runId = '', jobId = ''] = process.argv.slice(2);
const store = await openStore(storeOptions(url));
for (let n = 1; ; n++) {
  const snapshot = await store.engine.loadRun(runId, NO_MEMORY);
  if (!snapshot) throw new Error(`no run ${runId}`);
  const { run } = snapshot;
  const outcome = await store.engine.apply([
    { type: 'run.update', id: runId, version: run.version, set: { priority: n } },
    { type: 'event', event: newEvent(`write ${n}`, runTarget(run)) },
    { type: 'job.update', id: jobId, version: run.version, set: { claimedBlocks: n } },
  ]);
  if (outcome === 'applied') process.stdout.write(`${n}\n`);
}
