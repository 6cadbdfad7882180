import { type Diagnosis, instantText, type JobRecord } from '@dstack/core';
import type { AvoidedReplicas } from '../../service-table/avoided-replicas.ts';

/** Adds which replicas get no requests because they answer with errors, why, and until when. */
export async function withAvoided(
  diagnosis: Diagnosis,
  jobs: readonly Pick<JobRecord, 'id' | 'name'>[],
  avoided: Pick<AvoidedReplicas, 'among'> | undefined,
): Promise<Diagnosis> {
  // The latest submission of each job.
  const idOf = (part: Diagnosis['parts'][number]) =>
    part.kind === 'job' && part.state === 'running'
      ? jobs.findLast(({ name }) => name === part.name)?.id
      : undefined;
  const found = await avoided?.among(diagnosis.parts.flatMap((part) => idOf(part) ?? []));
  const parts = diagnosis.parts.map((part) => {
    const now = found?.get(idOf(part) ?? '');
    if (!now) return part;
    const time = instantText(now.until * 1000);
    return { ...part, text: `${part.text}; gets no requests until ${time}: ${now.text}` };
  });
  return { ...diagnosis, parts };
}
