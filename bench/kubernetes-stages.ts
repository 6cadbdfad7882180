/** When each pod of a test cluster reached its stages, as a watch beside dstack's receives them. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiProxy } from '@dstack/testkit/kubernetes-proxy';
import { micros } from './runs.ts';

const NAMESPACE = '/api/v1/namespaces/default';
/** The field path of the container that runs the job, or of the one container of a bare pod. */
const STARTED = /^spec\.containers\{(job|bare)\}$/;

export type Stage = 'created' | 'scheduled' | 'started' | 'running';

interface Watched {
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly nodeName?: string };
  readonly status?: { readonly phase?: string };
  readonly reason?: string;
  readonly involvedObject?: { readonly name: string; readonly fieldPath?: string };
}

export class PodStages {
  readonly #url: string;
  readonly #end = new AbortController();
  /** Milliseconds since the epoch, by pod. */
  readonly #pods = new Map<string, Partial<Record<Stage, number>>>();

  /** Resolves when the watches are open. */
  static async open(api: ApiProxy): Promise<PodStages> {
    const made = new PodStages(api.url);
    await Promise.all([made.#follow('pods', ''), made.#follow('events', 'reason=Started')]);
    return made;
  }

  private constructor(url: string) {
    this.#url = url;
  }

  close(): void {
    this.#end.abort();
  }

  names(): string[] {
    return [...this.#pods.keys()];
  }

  of(pod: string): Partial<Record<Stage, number>> {
    return this.#pods.get(pod) ?? {};
  }

  /** When the agent of a pod printed each of its first lines, milliseconds since the epoch. */
  async ofAgent(pod: string): Promise<Readonly<Record<string, number>>> {
    const url = `${this.#url}${NAMESPACE}/pods/${pod}/log?container=job`;
    let answer = await fetch(url);
    // The API reads the status of the pod here, which may be a second late.
    for (; answer.status === 400; answer = await fetch(url)) await delay(100);
    if (!answer.ok) return {};
    const lines = (await answer.text()).split('\n').filter((line) => line.startsWith('{"time"'));
    const events = lines.map((line) => JSON.parse(line) as { time: string; event: string });
    return Object.fromEntries(events.map(({ event, time }) => [event, micros(time) / 1000]));
  }

  async #follow(kind: string, fieldSelector: string): Promise<void> {
    const query = new URLSearchParams({ watch: '1', fieldSelector });
    const url = `${this.#url}${NAMESPACE}/${kind}?${query}`;
    const { body } = await fetch(url, { signal: this.#end.signal });
    const read = async () => {
      const decoder = new TextDecoder();
      let rest = '';
      for await (const chunk of body ?? []) {
        const now = performance.timeOrigin + performance.now();
        const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.#record(JSON.parse(line).object as Watched, now);
      }
    };
    // It ends with the bench.
    read().catch(() => {});
  }

  #record({ metadata, spec, status, reason, involvedObject }: Watched, now: number): void {
    const isStart = reason === 'Started' && STARTED.test(involvedObject?.fieldPath ?? '');
    if (involvedObject && !isStart) return;
    const name = involvedObject?.name ?? metadata.name;
    const stages = this.#pods.get(name) ?? {};
    this.#pods.set(name, stages);
    if (isStart) stages.started ??= now;
    if (involvedObject) return;
    stages.created ??= now;
    if (spec?.nodeName) stages.scheduled ??= now;
    if (status?.phase === 'Running') stages.running ??= now;
  }
}
