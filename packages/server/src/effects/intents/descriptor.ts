import type { IntentKind, IntentOf, IntentRecord, IntentResult, Signal } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { EffectsOptions } from '../effects.ts';

/**
 * Carries out an intent. Rejects where a later try may succeed (`NotNow` if that is nothing to log);
 * an error that no repetition can change becomes a refusal.
 */
export type EffectHandler<K extends IntentKind> = (
  effects: EffectsOptions,
  intent: IntentOf<K>,
) => Promise<IntentResult>;

/** All that one kind of intent is: the table of all kinds is in `index.ts`. */
export interface IntentDescriptor<K extends IntentKind = IntentKind> {
  readonly kind: K;
  /** What the intent's `subjectId` is the id of. */
  readonly subject: 'job' | 'instance' | 'group' | 'volume' | 'attachment';
  /** Effects on machines take minutes: they have a queue of their own, so that no job waits for them. */
  readonly queue: 'job' | 'machine';
  /** Whether a decision may call it off while no worker has begun it. */
  readonly mayCancel: boolean;
  /** The host whose link carries it out; null = every server can. */
  readonly hostOf: (store: Store, intent: IntentOf<K>) => Promise<string | null>;
  /** Whose next step depends on the result. */
  readonly wakes: (store: Store, intent: IntentRecord) => Promise<Signal[]>;
  readonly handle: EffectHandler<K>;
}
