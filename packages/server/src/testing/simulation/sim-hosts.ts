/**
 * The hosts of a simulation and the agents on them: their messages follow the agent protocol, with
 * random times and losses. Agents outlive links and servers, like real ones.
 */
import type {
  AgentInfo,
  HostFacts,
  HostFault,
  HostHealth,
  JobSpecForAgent,
  JobState,
  VolumeDirectory,
  VolumeRemoval,
  VolumeSource,
  VolumeState,
} from '@dstack/contract/agent';
import type { Random } from '@dstack/testkit/random';
import { AgentRefusal, AgentUnreachable } from '../../hosts/agent-client.ts';
import type { SimClock } from './sim-clock.ts';
import { HostVolumes } from './sim-host-volumes.ts';
import { type HostFaults, HUNG, SimJobs } from './sim-jobs.ts';

const SECOND = 1_000_000;

export interface HostListener {
  onState(state: JobState): void;
  onOutput(jobId: string): void;
  onReachable(): void;
  onUnreachable(): void;
  onHealth(): void;
  /** Its agent sends something that is not true. */
  onLie(): void;
}

/** Receives events of hosts at the moment when they happen. */
export interface HostWatch {
  /** The process begins. */
  onStarted(host: SimHost, spec: JobSpecForAgent): void;
  /** A volume that a job mounts is missing when its process should begin. */
  onVolumeMissing(host: SimHost, spec: JobSpecForAgent, volume: VolumeSource): void;
  /** The provider begins to detach a device from the machine of the host. */
  onDetaching(host: SimHost, device: string, isForced: boolean): void;
  /** The directory of a volume is about to be deleted, or its host is. */
  onVolumeDeleted(host: SimHost, directory: VolumeDirectory): void;
}

/** One host with its agent. */
export class SimHost {
  readonly id: string;
  readonly executor: 'docker' | 'process';
  readonly jobs: SimJobs;
  readonly volumes: HostVolumes;
  facts: HostFacts;
  readonly #clock: SimClock['outside'];
  readonly #random: Random;
  readonly #faults: HostFaults;
  readonly #watch: HostWatch;
  readonly #listeners = new Set<HostListener>();
  #reachable = false;
  #failing = false;
  /** Whether its container engine answers nothing. */
  #hung = false;
  /** Since when it can be reached. */
  #reachableSince = 0;
  #ended = false;

  constructor(
    id: string,
    parts: {
      readonly clock: SimClock;
      readonly random: Random;
      readonly faults: HostFaults;
      readonly facts: HostFacts;
      readonly executor: 'docker' | 'process';
      /** The output of every job, kept after the host has ended. */
      readonly outputs: Map<string, string>;
      readonly watch: HostWatch;
      readonly hasDevice: (path: string) => boolean;
    },
  ) {
    this.id = id;
    this.facts = parts.facts;
    this.executor = parts.executor;
    this.#clock = parts.clock.outside;
    this.#random = parts.random;
    this.#faults = parts.faults;
    this.#watch = parts.watch;
    this.volumes = new HostVolumes({
      hasDevice: parts.hasDevice,
      isMounted: (id) => this.jobs.running.some(({ spec }) => mountsVolume(spec, id)),
      onDelete: (directory) => this.#watch.onVolumeDeleted(this, directory),
    });
    const { random, faults, outputs, watch } = parts;
    this.jobs = new SimJobs({
      ...{ clock: this.#clock, random, faults, outputs, volumes: this.volumes },
      isHung: () => this.#hung,
      onStarted: (spec) => watch.onStarted(this, spec),
      onVolumeMissing: (spec, volume) => watch.onVolumeMissing(this, spec, volume),
      onState: (state) => {
        for (const listener of this.#listeners) listener.onState(state);
      },
      onOutput: (jobId) => {
        for (const listener of this.#listeners) listener.onOutput(jobId);
      },
    });
  }

  get info(): AgentInfo {
    return {
      version: '0',
      features: ['volumes', 'volume-devices'],
      protocol: { min: 1, max: 1 },
      server_id: null,
      executor: this.executor,
      host: this.facts,
      time: null,
    };
  }

  get isReachable(): boolean {
    return this.#reachable && !this.#ended;
  }

  setReachable(reachable: boolean): void {
    if (this.#ended || this.#reachable === reachable) return;
    this.#reachable = reachable;
    this.#reachableSince = this.#clock.now;
    for (const one of this.#listeners) reachable ? one.onReachable() : one.onUnreachable();
  }

  /** For how long it could have been reached without a break, in µs; 0 = it cannot. */
  get reachableFor(): number {
    return this.isReachable ? this.#clock.now - this.#reachableSince : 0;
  }

  get isHung(): boolean {
    return this.#hung;
  }

  /** Its container engine hangs, or answers again. The agent's check reports that some time later. */
  setHung(hung: boolean): void {
    if (this.#hung === hung || this.executor !== 'docker') return;
    this.#hung = hung;
    this.#clock.after(this.#random.whole(0, 60) * SECOND, () => {
      for (const one of this.#listeners) one.onHealth();
    });
  }

  /** The engine is restarted, or another program removes a container. */
  endContainers(fault: HostFault & ('daemon_stopped' | 'container_removed')): void {
    if (this.executor === 'docker') this.jobs.endContainers(fault);
  }

  /** Its health checks fail, or pass again. */
  setFailing(failing: boolean): void {
    if (this.#failing === failing) return;
    this.#failing = failing;
    for (const one of this.#listeners) one.onHealth();
  }

  /** The facts that its agent reports. */
  get health(): HostHealth {
    const disk = { name: 'disk', status: 'healthy', message: null } as const;
    const gpu = { name: 'gpu', status: 'failure', message: 'GPU 0 is lost' } as const;
    const status = this.#hung ? 'failure' : 'healthy';
    const executor = { name: 'executor', status, message: this.#hung ? HUNG : null } as const;
    return { time: this.#clock.now, checks: [disk, executor, ...(this.#failing ? [gpu] : [])] };
  }

  lie(): void {
    for (const one of this.#listeners) one.onLie();
  }

  /** Power off for good, with everything on it. */
  destroy(): void {
    this.jobs.destroy();
    this.setReachable(false);
    this.#ended = true;
    for (const id of this.volumes.own.volumes)
      this.#watch.onVolumeDeleted(this, { id, path: null });
  }

  listen(listener: HostListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  putVolume(id: string, place: { readonly path: string | null }): void {
    if (this.#random.chance(this.#faults.refusal)) {
      throw new AgentRefusal(409, 'volume_failed', 'No space left on device');
    }
    this.volumes.put(id, place);
  }

  volumeState(id: string, { path }: { readonly path: string | null }): VolumeState {
    this.volumes.require({ id, path });
    // Its size is 10 GB.
    const grows = this.#random.chance(0.1);
    return { used_bytes: grows ? this.#random.whole(0, 15) * 2 ** 30 : null };
  }

  deleteVolume(id: string, place: { readonly path: string | null }): VolumeRemoval {
    return { deleted: this.volumes.remove(id, place, this.#random.chance(0.3)) };
  }

  unmountVolume(id: string): void {
    this.volumes.unmount(id);
  }

  /** A command over a link: it may be lost before or after it was carried out. */
  async command<T>(carryOut: () => T): Promise<T> {
    await this.#clock.delay(this.#random.whole(100, 5_000));
    if (!this.isReachable) throw new AgentUnreachable(`host ${this.id} does not answer`);
    const answer = carryOut();
    if (this.#random.chance(this.#faults.lostAnswer)) {
      throw new AgentUnreachable(`the answer of host ${this.id} was lost`);
    }
    return answer;
  }
}

export function mountsVolume({ mounts }: JobSpecForAgent, id: string): boolean {
  return mounts.some(({ volume }) => volume?.id === id);
}
