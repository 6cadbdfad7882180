/** The stages of a machine that comes, and those before its provider has accepted its order. */
import { instanceTarget } from '../events/events.ts';
import { recordEvent } from '../events/record-event.ts';
import type { Change, InstanceSnapshot, JobRecord, Signal } from '../model/index.ts';
import { isInstancePending } from '../status/index.ts';
import { withoutAmount } from '../status/texts.ts';

/** How a stage begins in which programs are copied to a new host. */
export const AGENT_INSTALLATION = 'Installing the agent';

/** The provider has accepted the order, and has not yet reported what becomes of it. */
export const ORDERED = 'ordered';
/** The provider reports the machine as ready, and no attempt to reach its agent has reported anything yet. */
export const CONNECTING = 'connecting';

interface PreparedInstance extends Pick<InstanceSnapshot, 'instance'> {
  readonly jobs: readonly Pick<JobRecord, 'runId'>[];
}

/** Each amount is not worth an event. Null: it is shown already, or the instance does not wait for its creation any more. */
export function reportPreparation(
  { instance, jobs }: PreparedInstance,
  text: string,
): { readonly changes: readonly Change[]; readonly signals: readonly Signal[] } | null {
  const { id, version, status, handle, terminationMessage: shown } = instance;
  if (!isInstancePending(status) || handle !== null || shown === text) return null;
  const changes: Change[] = [
    { type: 'instance.update', id, version, set: { terminationMessage: text } },
  ];
  if (shown === null || withoutAmount(shown) !== withoutAmount(text)) {
    const event = recordEvent({
      action: 'instance.provisioning',
      data: { stage: withoutAmount(text) },
      targets: [instanceTarget(instance)],
    });
    changes.push({ type: 'event', event });
  }
  // Those who follow a run see the stage after a pass of it.
  return { changes, signals: jobs.map(({ runId: id }) => ({ kind: 'run', id })) };
}
