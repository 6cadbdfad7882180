/** Copies the agent into the started container of a job, for servers without an image of the agent. */
import { pipeline, type Readable, Transform } from 'node:stream';
import { AGENT_INSTALLATION } from '@dstack/core';
import type { AgentProgram, AgentPrograms } from '../base/programs.ts';
import { execWithInput } from './api/exec.ts';
import type { KubeNode } from './api/objects.ts';
import type { Cluster } from './cluster.ts';
import { DELIVERY } from './pod-agent.ts';
import { JOB_CONTAINER } from './pod-spec.ts';

export type DeliveryProgress =
  | { readonly kind: 'copying'; readonly text: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: Error };

const MB = 1e6;
/** The least time between two reports of a copy. */
const REPORT_MS = 1000;
/** The most reports of a copy: hundreds of pods may be copied to at the same time, and a report costs passes. */
const REPORTS = 10;

export class Deliveries {
  readonly #programs: AgentPrograms;
  readonly #now: () => number;
  readonly #pods = new Map<string, Delivery>();

  /** `now`: milliseconds that no step of the clock moves. */
  constructor(programs: AgentPrograms, now = () => performance.now()) {
    this.#programs = programs;
    this.#now = now;
  }

  /** Begins a delivery, if there is none yet; `onChange` is called while it goes on, and when it has ended. */
  progress(cluster: Cluster, pod: string, node: string, onChange: () => void): DeliveryProgress {
    const key = `${cluster.region}/${pod}`;
    const known = this.#pods.get(key);
    if (known) return known.progress;
    const delivery = new Delivery(onChange, this.#now);
    this.#pods.set(key, delivery);
    delivery.end(this.#deliver(cluster, pod, { node, delivery }));
    return delivery.progress;
  }

  forget(cluster: Cluster, pod: string): void {
    this.#pods.delete(`${cluster.region}/${pod}`);
  }

  async #deliver(
    { client, namespace }: Cluster,
    pod: string,
    { node, delivery }: { readonly node: string; readonly delivery: Delivery },
  ): Promise<void> {
    const { status } = await client.call<KubeNode>({ path: `/api/v1/nodes/${node}` });
    const arch = status?.nodeInfo?.architecture === 'arm64' ? 'arm64' : 'x64';
    const [program, libraries, agent] = await Promise.all([
      this.#programs.node(arch),
      this.#programs.libraries(arch),
      this.#programs.agent(),
    ]);
    const parts = { node: program, libraries, agent };
    delivery.expect(Object.values(parts));
    const target = { client, namespace, pod, container: JOB_CONTAINER };
    // Together: each of them costs the way through the API server and the node once.
    await Promise.all(
      DELIVERY.map(({ part, script }) => {
        const command = ['/bin/sh', '-c', script(parts[part].size)];
        return execWithInput(target, command, delivery.counted(parts[part]));
      }),
    );
  }
}

class Delivery {
  readonly #onChange: () => void;
  readonly #now: () => number;
  #ended: DeliveryProgress | null = null;
  #total = 0;
  #sent = 0;
  #reportedAt: number;
  /** How many of its parts had been sent by the last report. */
  #reportedPart = 0;

  constructor(onChange: () => void, now: () => number) {
    this.#onChange = onChange;
    this.#now = now;
    this.#reportedAt = now();
  }

  get progress(): DeliveryProgress {
    if (this.#ended !== null) return this.#ended;
    const total = Math.ceil(this.#total / MB);
    const amount = total > 1 ? ` (${Math.floor(this.#sent / MB)} of ${total} MB)` : '';
    return { kind: 'copying', text: `${AGENT_INSTALLATION}${amount}` };
  }

  expect(programs: readonly AgentProgram[]): void {
    this.#total = programs.reduce((sum, { size }) => sum + size, 0);
  }

  /** The program's bytes, counted while they are sent. */
  counted(program: AgentProgram): Readable {
    const counter = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.#sent += chunk.length;
        this.#report();
        done(null, chunk);
      },
    });
    // An end of the counter closes the file too; an error of the file is the counter's.
    return pipeline(program.open(), counter, () => {});
  }

  end(delivered: Promise<void>): void {
    const ended = (progress: DeliveryProgress) => {
      this.#ended = progress;
      this.#onChange();
    };
    delivered.then(
      () => ended({ kind: 'done' }),
      (error: Error) => ended({ kind: 'failed', error }),
    );
  }

  #report(): void {
    const now = this.#now();
    const part = Math.floor((REPORTS * this.#sent) / this.#total);
    if (part === this.#reportedPart || now - this.#reportedAt < REPORT_MS) return;
    this.#reportedAt = now;
    this.#reportedPart = part;
    this.#onChange();
  }
}
