/** Watches the events about the pods of a namespace, and keeps the newest ones of each pod. */
import type { KubeClient } from './api/client.ts';
import { Follow } from './api/follow.ts';
import type { KubeEvent } from './api/objects.ts';
import { isJobStart } from './pod-state.ts';

export interface PodEventsOptions {
  readonly client: KubeClient;
  readonly path: string;
  /** Whether the events of a pod are kept, by its name. */
  readonly isOurs: (pod: string) => boolean;
  /** Something that `podState` shows or decides by was reported. */
  readonly onNews: (pod: string) => void;
}

export const POD_EVENTS = { fieldSelector: 'involvedObject.kind=Pod' } as const;

/** Bounds of the memory: events of pods that ended long ago are of no use. */
const MAX_PODS = 5000;
const MAX_PER_POD = 30;

const NEWS: readonly (string | undefined)[] = ['Pulling', 'TriggeredScaleUp', 'NotTriggerScaleUp'];

export class PodEvents {
  readonly #options: PodEventsOptions;
  /** By pod, then by the event's own name. */
  readonly #pods = new Map<string, Map<string, KubeEvent>>();
  readonly #follow: Follow<KubeEvent, never>;

  constructor(options: PodEventsOptions) {
    this.#options = options;
    const { client, path } = options;
    this.#follow = new Follow<KubeEvent, never>({
      ...{ client, path, query: POD_EVENTS },
      keep: (event) => {
        this.#record(event);
        return null;
      },
    });
  }

  /** Null: they cannot be watched now. */
  of(pod: string): readonly KubeEvent[] | null {
    if (!this.#follow.isCurrent) return null;
    return [...(this.#pods.get(pod)?.values() ?? [])];
  }

  close(): void {
    this.#follow.close();
  }

  #record(event: KubeEvent): void {
    const pod = event.involvedObject?.name ?? '';
    if (!this.#options.isOurs(pod)) return;
    const events = this.#pods.get(pod) ?? new Map<string, KubeEvent>();
    this.#pods.set(pod, events);
    // The newest last.
    events.delete(event.metadata.name);
    events.set(event.metadata.name, event);
    dropOldest(events, MAX_PER_POD);
    dropOldest(this.#pods, MAX_PODS);
    if (event.type === 'Warning' || NEWS.includes(event.reason) || isJobStart(event)) {
      this.#options.onNews(pod);
    }
  }
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}
