import {
  type Considered,
  type ExplainSubject,
  type Explanation,
  formatOptionalTimestamp,
} from '@dstack/contract/wire';
import type { Diagnosis } from '@dstack/core';
import type { EventView } from '@dstack/store';
import { optionalWireBackend } from './backend-name.ts';
import { wireEvent } from './event.ts';

export function wireExplanation(
  subject: ExplainSubject,
  diagnosis: Diagnosis,
  events: readonly EventView[],
): Explanation {
  return {
    subject,
    ...{ state: diagnosis.state, summary: diagnosis.summary, waiting_for: diagnosis.waiting_for },
    ...times(diagnosis),
    ...{ attempt: diagnosis.attempt, position: diagnosis.position },
    expected_start: formatOptionalTimestamp(diagnosis.expected_start),
    is_about: diagnosis.is_about,
    ahead: diagnosis.ahead.map((one) => ({ ...one, since: formatOptionalTimestamp(one.since) })),
    reasons: diagnosis.reasons.map((one) => ({ ...one, ...times(one) })),
    parts: diagnosis.parts.map((one) => ({ ...one, ...times(one) })),
    considered: diagnosis.considered.map(wireConsidered),
    fixes: [...diagnosis.fixes],
    events: events.map((event) => wireEvent(event)),
  };
}

export function wireConsidered(row: Diagnosis['considered'][number]): Considered {
  return { ...row, backend: optionalWireBackend(row.backend) };
}

function times({ since, until }: Pick<Diagnosis, 'since' | 'until'>) {
  return { since: formatOptionalTimestamp(since), until: formatOptionalTimestamp(until) };
}
