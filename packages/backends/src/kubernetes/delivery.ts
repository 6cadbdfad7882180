/** Copies the agent into the started container of a job, for servers without an image of the agent. */
import type { AgentPrograms } from '../base/programs.ts';
import { execWithInput } from './api/exec.ts';
import type { KubeNode } from './api/objects.ts';
import type { Cluster } from './cluster.ts';
import { DELIVERY } from './pod-agent.ts';
import { JOB_CONTAINER } from './pod-spec.ts';

type Progress = 'copying' | 'done' | { readonly failed: Error };

export class Deliveries {
  readonly #programs: AgentPrograms;
  readonly #pods = new Map<string, Progress>();

  constructor(programs: AgentPrograms) {
    this.#programs = programs;
  }

  /** Begins a delivery, if there is none yet; `onEnd` is called when it has succeeded or failed. */
  progress(cluster: Cluster, pod: string, node: string, onEnd: () => void): Progress {
    const key = `${cluster.region}/${pod}`;
    const known = this.#pods.get(key);
    if (known) return known;
    this.#pods.set(key, 'copying');
    this.#deliver(cluster, pod, node).then(
      () => this.#end(key, 'done', onEnd),
      (error: Error) => this.#end(key, { failed: error }, onEnd),
    );
    return 'copying';
  }

  forget(cluster: Cluster, pod: string): void {
    this.#pods.delete(`${cluster.region}/${pod}`);
  }

  #end(key: string, progress: Progress, onEnd: () => void): void {
    if (this.#pods.has(key)) this.#pods.set(key, progress);
    onEnd();
  }

  async #deliver(cluster: Cluster, pod: string, node: string): Promise<void> {
    const { client, namespace } = cluster;
    const { status } = await client.call<KubeNode>({ path: `/api/v1/nodes/${node}` });
    const arch = status?.nodeInfo?.architecture === 'arm64' ? 'arm64' : 'x64';
    const [program, libraries, agent] = await Promise.all([
      this.#programs.node(arch),
      this.#programs.libraries(arch),
      this.#programs.agent(),
    ]);
    const parts = { node: program, libraries, agent };
    const target = { client, namespace, pod, container: JOB_CONTAINER };
    for (const { part, script } of DELIVERY) {
      const { size, open } = parts[part];
      await execWithInput(target, ['/bin/sh', '-c', script(size)], open());
    }
  }
}
