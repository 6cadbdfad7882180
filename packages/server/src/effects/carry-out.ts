import { BackendError, NoAnswerError } from '@dstack/backends';
import type { IntentRecord, IntentResult } from '@dstack/core';
import { AgentRefusal } from '../hosts/agent-client.ts';
import type { KeyWork, WorkEnding } from '../queues/work-queue.ts';
import type { EffectsOptions } from './effects.ts';
import { intentDescriptor } from './intents/index.ts';
import { JobSpecError } from './named-secrets.ts';
import { NotNow } from './not-now.ts';

/**
 * Carries out announced effects. Each is safe to repeat: agents find jobs by id, and backends find
 * instances by the intent's key, so an interrupted effect is repeated and adopts what exists. The
 * result is written at once in a transaction of its own, and signals the records that depend on it.
 */
export function effects(options: EffectsOptions): KeyWork {
  return async (key) => {
    const intent = await options.store.engine.announcedIntent(key);
    if (!intent) return { ending: 'done' };
    try {
      const result = await intentDescriptor(intent.kind).handle(options, intent);
      await finish(options, intent, result);
      return { ending: 'done' };
    } catch (error) {
      const refusal = refusalOf(error);
      if (!refusal) return laterEnding(error);
      options.log.warn({ intent: key, err: error }, 'effect refused');
      await finish(options, intent, refusal);
      return { ending: 'done' };
    }
  };
}

function laterEnding(error: unknown): WorkEnding {
  if (!(error instanceof NotNow)) return { ending: 'retry', error };
  return error.isSignalled ? { ending: 'done' } : { ending: 'retry', error: null };
}

/** Errors that no repetition can change; all others are tried again. */
function refusalOf(error: unknown): IntentResult | null {
  if (error instanceof JobSpecError) {
    return { kind: 'refused', reason: 'terminated_by_server', message: error.message };
  }
  if (error instanceof AgentRefusal && error.status === 400) {
    return { kind: 'refused', reason: 'executor_error', message: error.message };
  }
  // The pass of the instance decides whether and when to try again.
  if (error instanceof BackendError && !(error instanceof NoAnswerError)) {
    return { kind: 'refused', reason: 'error', message: error.message };
  }
  return null;
}

async function finish({ store }: EffectsOptions, intent: IntentRecord, result: IntentResult) {
  const failed = result.kind === 'refused' || result.kind === 'no-capacity';
  const error = failed ? result.message : null;
  const signals = await intentDescriptor(intent.kind).wakes(store, intent, result);
  const state = failed ? 'failed' : 'done';
  await store.engine.finishIntent(intent.key, state, result, error, signals);
}
