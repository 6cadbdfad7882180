import type { IntentKind, IntentOf, IntentRecord, IntentResult, Signal } from '@dstack/core';
import type { Store } from '@dstack/store';
import type { EffectsOptions } from '../effects.ts';

/**
 * Carries out an intent. Rejects if a later try may succeed (`NotNow` without a log line); an error
 * that no repetition can change becomes a refusal.
 */
export type EffectHandler<K extends IntentKind> = (
  effects: EffectsOptions,
  intent: IntentOf<K>,
) => Promise<IntentResult>;

/** The description of one kind of intent; the table of all kinds is in `index.ts`. */
export interface IntentDescriptor<K extends IntentKind = IntentKind> {
  readonly kind: K;
  /** The kind of record that the intent's `subjectId` refers to. */
  readonly subject: 'job' | 'instance' | 'group' | 'volume' | 'attachment' | 'gateway-replica';
  /** Effects on machines take minutes, so they have a separate queue and do not delay jobs. */
  readonly queue: 'job' | 'machine';
  /** Whether a decision may cancel it while no worker has begun it. */
  readonly mayCancel: boolean;
  /** The host whose link carries it out; null = every server can. */
  readonly hostOf: (store: Store, intent: IntentOf<K>) => Promise<string | null>;
  /** The records whose next step depends on the result. */
  readonly wakes: (store: Store, intent: IntentRecord, result: IntentResult) => Promise<Signal[]>;
  readonly handle: EffectHandler<K>;
}
