/**
 * Servers, and an account at a provider behind its real API, in one process under one clock: everything of the
 * server and the adapter is real; machines, their agents and the time are simulated.
 */
import { isRunFinished } from '@dstack/contract/status';
import { type BackendType, FleetSpec, RunSpec } from '@dstack/contract/wire';
import type { InstanceRecord, RunRecord } from '@dstack/core';
import { openMemoryStore, type Store } from '@dstack/store';
import type { DirectCloud } from '@dstack/testkit/cloud';
import { Random } from '@dstack/testkit/random';
import { pino } from 'pino';
import { applyFleet } from '../../http/fleets/apply.ts';
import { deleteFleets } from '../../http/fleets/delete.ts';
import { applyRun } from '../../http/runs/apply.ts';
import type { SweepPolicy } from '../../sweep/sweep-backend.ts';
import { SimClock } from '../simulation/sim-clock.ts';
import { makeProjects, type SimProjects } from '../simulation/sim-projects.ts';
import { ENGINE_SETTINGS } from '../simulation/sim-settings.ts';
import { CloudServers, openBackends, RIGHT, WRONG } from './cloud-servers.ts';
import { CloudWorld } from './cloud-world.ts';
import { useInstantCrypto } from './instant-crypto.ts';
import type { CloudName } from './simulated-clouds.ts';

const SECOND = 1_000_000;
const FLEET = 'pool';
const plain = { encrypt: (text: string) => text, decrypt: (text: string) => text };

export interface CloudStoryOptions {
  readonly seed: number;
  /** The clock of the first server is off, by up to an hour. */
  readonly hasWrongClock?: boolean;
  /** By default Lambda, which has no clusters. */
  readonly cloud?: CloudName;
  /** The backend has this name and what it can do; by default those of its provider. */
  readonly as?: BackendType;
  /** How servers handle orphans; omitted: they look for none. */
  readonly sweep?: SweepPolicy;
}

export class CloudStory {
  readonly clock = new SimClock();
  readonly world: CloudWorld;
  readonly servers: CloudServers;
  readonly store: Store;
  readonly #projects: SimProjects;
  readonly #backend: BackendType;
  readonly #restoreCrypto = useInstantCrypto();
  readonly #failures: unknown[] = [];
  #watches: (() => boolean)[] = [];
  readonly #fetch = globalThis.fetch;

  private constructor(parts: {
    readonly clock: SimClock;
    readonly world: CloudWorld;
    readonly store: Store;
    readonly random: Random;
    readonly projects: SimProjects;
    readonly as: BackendType;
    readonly cloud: CloudName;
    readonly sweep: { readonly sweep?: SweepPolicy };
  }) {
    const { clock, world, store, random } = parts;
    this.clock = clock;
    this.world = world;
    this.store = store;
    this.#projects = parts.projects;
    this.#backend = parts.as;
    const onFailure = (error: unknown) => void this.#failures.push(error);
    this.servers = new CloudServers({
      clock,
      random,
      world,
      store,
      onFailure,
      ...{ as: parts.as, cloud: parts.cloud },
      ...parts.sweep,
    });
  }

  /** One server has started. */
  static async begin({
    seed,
    hasWrongClock,
    cloud = 'lambda',
    as = cloud,
    ...sweep
  }: CloudStoryOptions): Promise<CloudStory> {
    const clock = new SimClock();
    const random = new Random(seed);
    const now = () => clock.now;
    const newId = () => random.uuid();
    const store = await openMemoryStore({
      ...{ now, newId, cipher: plain, logger: pino({ level: 'silent' }) },
    });
    const world = new CloudWorld({ clock, random, seed, cloud });
    const backends = await openBackends(world.account, store, as, cloud);
    const projects = await makeProjects({
      ...{ store, now, newId, backends, settings: ENGINE_SETTINGS },
    });
    const story = new CloudStory({ clock, world, store, random, projects, as, cloud, sweep });
    clock.install(() => random.next());
    globalThis.fetch = story.servers.fetch;
    await story.servers.start(hasWrongClock ? WRONG : RIGHT);
    await story.run(5);
    return story;
  }

  get account(): DirectCloud {
    return this.world.account;
  }

  async close(): Promise<void> {
    this.servers.kill();
    this.clock.uninstall();
    this.#restoreCrypto();
    globalThis.fetch = this.#fetch;
    await this.store.close();
  }

  /** A fleet of machines of the cloud that end `idleSeconds` after their last job. */
  async applyFleet(most: number, idleSeconds: number, more: object = {}): Promise<void> {
    const { deps, user } = this.#projects;
    const configuration = {
      ...{ type: 'fleet', name: FLEET, nodes: { min: 0, max: most }, backends: [this.#backend] },
      ...{ idle_duration: idleSeconds, ...more },
    };
    const spec = FleetSpec.parse({ configuration, profile: {} });
    const request = { plan: { spec, current_resource: null }, force: true };
    await this.#finished(
      applyFleet(deps, this.#project, request as Parameters<typeof applyFleet>[2], {
        ...{ user, role: 'admin' },
      }),
    );
  }

  async deleteFleet(): Promise<void> {
    const { deps, user } = this.#projects;
    await this.#finished(deleteFleets(deps, this.#project, [FLEET], user));
  }

  async submit(name: string, more: object): Promise<void> {
    const { deps, user, sshKey } = this.#projects;
    const configuration = { type: 'task', name, image: 'busybox', fleets: [FLEET], ...more };
    const spec = RunSpec.parse({ run_name: name, configuration, ssh_key_pub: sshKey.public });
    const request = { plan: { run_spec: spec, current_resource: null }, force: true };
    await this.#finished(
      applyRun(deps, this.#project, user, request as Parameters<typeof applyRun>[3]),
    );
  }

  async runs(): Promise<readonly RunRecord[]> {
    return (await this.store.runs.list({ projectIds: null })).map(({ run }) => run);
  }

  async instances(): Promise<readonly InstanceRecord[]> {
    const views = await this.store.instances.list({ projectIds: null, onlyActive: false });
    return views.map(({ instance }) => instance);
  }

  async allFinished(): Promise<boolean> {
    const runs = await this.runs();
    return runs.length > 0 && runs.every(({ status }) => isRunFinished(status));
  }

  /** Nothing is left at the provider, and no server waits for anything about a machine. */
  async isQuiet(): Promise<boolean> {
    if (this.world.alive.length > 0) return false;
    const instances = await this.instances();
    return instances.every(({ status, deleted }) => deleted || status === 'terminated');
  }

  /** Something that goes on beside the story; an error ends it. */
  begun(work: Promise<unknown>): void {
    work.catch((error: unknown) => void this.#failures.push(error));
  }

  /** Calls `isOver` after each step until it returns true. */
  watch(isOver: () => boolean): void {
    this.#watches = [...this.#watches, isOver];
  }

  /** Lets this many seconds pass. */
  async run(seconds: number): Promise<void> {
    await this.until(() => false, seconds);
  }

  /**
   * Lets time pass until a state is reached, which is looked for every `everySeconds` (0: after each step).
   * Returns whether it was.
   */
  async until(
    is: () => boolean | Promise<boolean>,
    seconds: number,
    everySeconds = 0,
  ): Promise<boolean> {
    const until = this.clock.now + Math.round(seconds * SECOND);
    let looksAt = this.clock.now;
    do {
      this.#watches = this.#watches.filter((isOver) => !isOver());
      if (this.clock.now >= looksAt) {
        if (await is()) return true;
        looksAt = this.clock.now + everySeconds * SECOND;
      }
      this.#throwFailure();
    } while (await this.clock.step(until));
    return await is();
  }

  get #project() {
    const [project] = this.#projects.projects;
    if (!project) throw new Error('the story has no project');
    return project;
  }

  async #finished(request: Promise<unknown>): Promise<void> {
    let isPending = true;
    const settled = request.finally(() => {
      isPending = false;
    });
    settled.catch(() => {});
    while (isPending) {
      this.#watches = this.#watches.filter((over) => !over());
      await this.clock.step(this.clock.now + SECOND);
    }
    await settled;
  }

  #throwFailure(): void {
    const [failure] = this.#failures;
    if (failure !== undefined) throw failure;
  }
}
