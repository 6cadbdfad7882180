/** The random configurations of a simulation's users. */
import type { RunSpec } from '@dstack/contract/wire';
import type { Random } from '@dstack/testkit/random';
import { type JobScript, ofMember, scriptCommand } from './job-script.ts';

type Names = readonly string[];

export class SimConfigurations {
  readonly #random: Random;
  readonly #isCrowd: boolean;
  readonly #isLong: boolean;

  /** `isCrowd`: runs are long and much alike, and fight for few hosts; `isLong`: many are long. */
  constructor(random: Random, { isCrowd = false, isLong = false } = {}) {
    this.#random = random;
    this.#isCrowd = isCrowd;
    this.#isLong = isLong;
  }

  /** `volumes`: names that may be mounted. */
  task(volumes: Names): object {
    return { type: 'task', ...this.#work(this.#mounts(volumes)), ...this.#where(false) };
  }

  /** Members differ in how long they run and how they end. */
  array(volumes: Names): object {
    const random = this.#random;
    const { commands, ...task } = this.task(volumes) as { readonly commands: readonly string[] };
    const size = random.whole(2, 6);
    const values = Array.from({ length: size }, () => ({
      seconds: String(random.whole(1, this.#isCrowd ? 400 : 60)),
      exit: random.chance(0.8) ? '0' : '1',
    }));
    const array = {
      values,
      max_parallel: random.pick([1, 2, 3, size]),
      max_failures: random.pick([0, 0, 1, 2]),
      ...(random.chance(0.2) ? { indexes: `1-${size - 1}` } : {}),
    };
    return { ...task, commands: commands.map(ofMember), array };
  }

  gang(volumes: Names): object {
    const nodes = this.#random.whole(2, 3);
    return { type: 'task', nodes, ...this.#work(this.#mounts(volumes)), ...this.#where(true) };
  }

  schedule(volumes: Names): object {
    const schedule = { cron: '*/5 * * * *' };
    const where = this.#isCrowd ? this.#whereAllAre(false) : {};
    return { type: 'task', schedule, ...this.#work(this.#mounts(volumes)), ...where };
  }

  service(volumes: Names): object {
    const isSplit = this.#random.chance(0.2);
    const mounts = isSplit ? [] : this.#mounts(volumes);
    const serving = isSplit ? this.#groups() : this.#serving(mounts);
    return { type: 'service', port: 80, ...serving, ...this.#where(false) };
  }

  /** Half of the services are behind the gateway of their project, and most of these have a model. */
  behind(gateway: string): object {
    const random = this.#random;
    if (random.chance(0.5)) return {};
    const model = { type: 'chat', format: 'openai', name: `model-${random.whole(1, 3)}` };
    return { gateway, https: false, ...(random.chance(0.7) ? { model } : {}) };
  }

  /** Another number of replicas, or other groups. */
  resized(configuration: RunSpec['configuration']): object {
    if (configuration.type !== 'service') return {};
    return configuration.groups ? this.#groups() : this.#replicas(configuration.scaling);
  }

  /**
   * Mounts of named volumes: one or two, some with the number of the node, some with several names
   * of which one is enough.
   */
  #mounts(volumes: Names): object[] {
    const random = this.#random;
    if (this.#isCrowd || volumes.length === 0 || random.chance(0.5)) return [];
    const name = () => {
      const one = random.pick(volumes) ?? '';
      const kind = random.weighted({ one: 6, several: 2, ranked: 3, numbered: 1 });
      if (kind === 'several') return [one, random.pick(volumes) ?? ''];
      if (kind === 'ranked') return `data-\${{ dstack.node_rank }}`;
      return kind === 'numbered' ? `data-\${{ dstack.job_num }}` : one;
    };
    const count = random.chance(0.2) ? 2 : 1;
    return Array.from({ length: count }, (_, n) => ({ name: name(), path: `/volume-${n}` }));
  }

  #work(volumes: readonly object[]): object {
    const random = this.#random;
    if (this.#isCrowd) return this.#longWork();
    const hasDirectory = random.chance(0.2);
    const isLong = this.#isLong && random.chance(0.6);
    const script: JobScript = {
      seconds: isLong || random.chance(0.1) ? null : random.whole(1, 90),
      exitStatus: random.chance(0.7) ? 0 : random.whole(1, 2),
      stubborn: random.chance(0.1),
      mounts: volumes.length + (hasDirectory ? 1 : 0),
    };
    return {
      commands: [scriptCommand(script)],
      volumes: [...volumes, ...(hasDirectory ? ['/data:/data'] : [])],
      ...(random.chance(0.2) ? { stop_duration: random.whole(5, 60) } : {}),
      ...(random.chance(0.2) ? { max_duration: random.whole(30, 600) } : {}),
    };
  }

  /** The ends of half of them are known. */
  #longWork(): object {
    const random = this.#random;
    const seconds = random.chance(0.1) ? null : random.whole(60, 900);
    const exitStatus = random.chance(0.9) ? 0 : 1;
    const script = { seconds, exitStatus, stubborn: random.chance(0.1), mounts: 0 };
    const limit = random.chance(0.5) ? { max_duration: random.pick([300, 600]) } : {};
    return { commands: [scriptCommand(script)], stop_duration: 30, ...limit };
  }

  #serverCommands(mounts: number): string[] {
    const random = this.#random;
    const seconds = random.chance(0.3) ? random.whole(5, 300) : null;
    return [scriptCommand({ seconds, exitStatus: 1, stubborn: false, mounts })];
  }

  #groups(): object {
    const random = this.#random;
    const group = (name: string) => {
      return { name, commands: this.#serverCommands(0), replicas: random.whole(1, 2) };
    };
    return { groups: ['front', 'back'].slice(random.whole(0, 1)).map(group) };
  }

  #serving(volumes: readonly object[]): object {
    const random = this.#random;
    const scales = random.chance(0.4);
    return {
      commands: this.#serverCommands(volumes.length),
      volumes,
      ...(scales
        ? { replicas: { min: random.whole(0, 1), max: 3 }, scaling: { metric: 'rps', target: 2 } }
        : { replicas: random.whole(1, 3) }),
    };
  }

  #replicas(scales: unknown): object {
    const random = this.#random;
    const min = random.whole(0, 3);
    return { replicas: scales ? { min, max: random.whole(min + 1, 4) } : min };
  }

  /**
   * The random requirements and priority of a run. `cluster`: only where nodes reach each other.
   */
  #where(cluster: boolean): object {
    const random = this.#random;
    if (this.#isCrowd) return this.#whereAllAre(cluster);
    const retry = random.weighted({ none: 4, all: 4, errors: 1, short: 1 });
    return {
      resources: {
        cpu: `${random.pick([1, 1, 2, 4, 8])}..`,
        memory: '1GB..',
        disk: null,
        ...(random.chance(0.15) && !cluster ? { gpu: 'H100:1' } : {}),
      },
      ...(random.chance(0.3) ? { priority: random.pick([10, 50, 90]) } : {}),
      ...(random.chance(0.3) ? { idle_duration: random.pick([0, 30, 600]) } : {}),
      ...(random.chance(0.1) ? { creation_policy: 'reuse' } : {}),
      ...(random.chance(0.1) ? { max_price: 2 } : {}),
      ...(retry === 'all' ? { retry: true } : {}),
      ...(retry === 'errors' ? { retry: { on_events: ['error'], duration: 3600 } } : {}),
      ...(retry === 'short' ? { retry: { on_events: ['no-capacity'], duration: 120 } } : {}),
    };
  }

  /** On the hosts that the projects share, with one of few requirements. */
  #whereAllAre(cluster: boolean): object {
    const random = this.#random;
    const cpu = cluster ? 8 : random.pick([4, 8]);
    return {
      resources: { cpu: `${cpu}..`, memory: '1GB..', disk: null },
      fleets: ['second/cluster'],
      ...(random.chance(0.3) ? { priority: random.pick([10, 50]) } : {}),
      ...(random.chance(0.8) ? { retry: true } : {}),
    };
  }
}
