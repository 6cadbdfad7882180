import { type Diagnosis, instantText, type JobRecord } from '@dstack/core';
import type { AvoidedReplicas } from '../../service-table/avoided-replicas.ts';

/** Adds which replicas get no requests because they answer with errors, why, and until when. */
export function withAvoided(
  diagnosis: Diagnosis,
  jobs: readonly Pick<JobRecord, 'id' | 'name'>[],
  avoided: Pick<AvoidedReplicas, 'of'> | undefined,
): Diagnosis {
  const parts = diagnosis.parts.map((part) => {
    if (part.kind !== 'job' || part.state !== 'running') return part;
    // The latest submission of the job.
    const job = jobs.findLast(({ name }) => name === part.name);
    const found = job && avoided?.of(job.id);
    if (!found) return part;
    const time = instantText(found.until * 1000);
    return { ...part, text: `${part.text}; gets no requests until ${time}: ${found.text}` };
  });
  return { ...diagnosis, parts };
}
