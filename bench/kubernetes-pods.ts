/** Pods without dstack, made by the API of a test cluster: what the cluster itself takes. */
import type { ApiProxy } from '@dstack/testkit/kubernetes-proxy';

const PODS = '/api/v1/namespaces/default/pods';

/** The part of a pod that a bench chooses. */
export interface BarePod {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Whether a scheduling gate keeps it from ever getting a node. */
  readonly isGated?: boolean;
  /** The image of a container that first copies its program into a volume of the pod, as the agent's does. */
  readonly copied?: string;
}

export class BarePods {
  readonly #url: string;
  readonly #image: string;

  constructor(api: ApiProxy, image: string) {
    this.#url = api.url;
    this.#image = image;
  }

  /** Milliseconds from the creation of a pod until a watch reports it as running. */
  async timed(name: string, copied?: string): Promise<number> {
    const watch = await this.#watch(`metadata.name=${name}`);
    const start = performance.now();
    await this.create({ name, ...(copied === undefined ? {} : { copied }) });
    await watch.until((phases) => phases.get(name) === 'Running');
    const ms = performance.now() - start;
    await this.delete(`/${name}`);
    return ms;
  }

  /** Milliseconds from the first creation until all of them run. */
  async burst(names: readonly string[]): Promise<number> {
    const watch = await this.#watch('');
    const start = performance.now();
    await Promise.all(names.map((name) => this.create({ name })));
    await watch.until((phases) => names.every((name) => phases.get(name) === 'Running'));
    const ms = performance.now() - start;
    await Promise.all(names.map((name) => this.delete(`/${name}`)));
    return ms;
  }

  async create({ name, labels = {}, isGated = false, copied }: BarePod): Promise<void> {
    const volumeMounts = [{ name: 'dstack', mountPath: '/dstack' }];
    const command = ['sleep', '3600'];
    const container = { name: 'bare', image: this.#image, command, volumeMounts };
    const copying = { name: 'copy', image: copied, imagePullPolicy: 'IfNotPresent', volumeMounts };
    await this.#call('POST', PODS, {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, labels } },
      spec: {
        ...(copied === undefined ? {} : { initContainers: [copying] }),
        containers: [container],
        volumes: [{ name: 'dstack', emptyDir: {} }],
        ...(isGated ? { schedulingGates: [{ name: 'dstack.ai/bench' }] } : {}),
      },
    });
  }

  /** Deletes one pod (`which` is `/NAME`), or all of them by default. */
  async delete(which = ''): Promise<void> {
    await this.#call('DELETE', `${PODS}${which}`, { gracePeriodSeconds: 0 });
  }

  async names(): Promise<string[]> {
    const answer = await this.#call('GET', PODS);
    const { items } = (await answer.json()) as { items: { metadata: { name: string } }[] };
    return items.map(({ metadata }) => metadata.name);
  }

  async labels(name: string): Promise<Record<string, string>> {
    const answer = await this.#call('GET', `${PODS}/${name}`);
    const pod = (await answer.json()) as { metadata: { labels: Record<string, string> } };
    return pod.metadata.labels;
  }

  async untilNone(): Promise<void> {
    while ((await this.names()).length > 0) await new Promise((done) => setTimeout(done, 100));
  }

  async #watch(fieldSelector: string) {
    const query = new URLSearchParams({ watch: '1', fieldSelector });
    const body = (await this.#call('GET', `${PODS}?${query}`)).body;
    return {
      until: async (isReached: (phases: ReadonlyMap<string, string>) => boolean) => {
        const phases = new Map<string, string>();
        const decoder = new TextDecoder();
        let rest = '';
        for await (const chunk of body ?? []) {
          const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) {
            const { object } = JSON.parse(line) as {
              object: { metadata: { name: string }; status: { phase: string } };
            };
            phases.set(object.metadata.name, object.status.phase);
          }
          if (isReached(phases)) return void (await body?.cancel().catch(() => {}));
        }
        throw new Error('the watch has ended');
      },
    };
  }

  async #call(method: string, path: string, body?: object): Promise<Response> {
    const answer = await fetch(this.#url + path, {
      ...{ method, headers: { 'content-type': 'application/json' } },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }
}
