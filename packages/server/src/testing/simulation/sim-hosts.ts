/**
 * The hosts of a simulation and the agents on them: their messages follow the agent protocol, with
 * random times and losses. Agents outlive links and servers, like real ones.
 */
import {
  type AgentInfo,
  acceptedJob,
  type HostFacts,
  type HostFault,
  type HostHealth,
  type JobExit,
  type JobMount,
  type JobPhase,
  type JobSpecForAgent,
  type JobState,
  type NoticeJob,
  type PutJobAnswer,
  type StopJob,
  type VolumeDirectory,
  type VolumeRemoval,
  type VolumeSource,
  type VolumeState,
} from '@dstack/contract/agent';
import type { Random } from '@dstack/testkit/random';
import { AgentRefusal, AgentUnreachable } from '../../hosts/agent-client.ts';
import { describeJob, type JobScript } from './job-script.ts';
import type { SimClock } from './sim-clock.ts';
import { HostVolumes } from './sim-host-volumes.ts';

const SECOND = 1_000_000;

export interface HostFaults {
  /** Probability that a command is carried out, but its answer is lost. */
  lostAnswer: number;
  /** Probability that an order is refused for good. */
  refusal: number;
  /** Probability that a process crashes although its script does not make it crash. */
  crash: number;
}

interface SimJob {
  readonly spec: JobSpecForAgent;
  readonly script: JobScript;
  /** The complete output of its process. */
  output: string;
  state: JobState;
  deleted: boolean;
  /** Id of its notice. */
  notice: string | null;
  cancel: () => void;
}

export interface HostListener {
  onState(state: JobState): void;
  onOutput(jobId: string): void;
  onReachable(): void;
  onUnreachable(): void;
  onHealth(): void;
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

/** The message of a start on an engine that hangs. */
export const HUNG = 'the container engine does not answer';

const EXITED: readonly JobPhase[] = ['exited'];
const isLive = (phase: JobPhase): boolean => !EXITED.includes(phase);

/** One host with its agent. */
export class SimHost {
  readonly id: string;
  readonly executor: 'docker' | 'process';
  readonly jobs = new Map<string, SimJob>();
  readonly volumes: HostVolumes;
  facts: HostFacts;
  readonly #clock: SimClock['outside'];
  readonly #random: Random;
  readonly #faults: HostFaults;
  readonly #outputs: Map<string, string>;
  readonly #watch: HostWatch;
  readonly #listeners = new Set<HostListener>();
  readonly #givesNotice: boolean;
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
    this.#givesNotice = parts.random.chance(0.7);
    this.executor = parts.executor;
    this.#clock = parts.clock.outside;
    this.#random = parts.random;
    this.#faults = parts.faults;
    this.#outputs = parts.outputs;
    this.#watch = parts.watch;
    this.volumes = new HostVolumes({
      hasDevice: parts.hasDevice,
      isMounted: (id) => this.running.some(({ spec }) => mountsVolume(spec, id)),
      onDelete: (directory) => this.#watch.onVolumeDeleted(this, directory),
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
    if (this.executor !== 'docker') return;
    const running = this.running.filter(({ state }) => state.phase === 'running');
    const ended = fault === 'daemon_stopped' ? running : running.slice(0, 1);
    const exit = { status: 137, reason: 'interrupted_by_no_capacity', message: fault };
    for (const job of ended) this.#exit(job, { ...exit, host_fault: fault });
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

  /** Power off for good, with everything on it. */
  destroy(): void {
    for (const job of this.jobs.values()) job.cancel();
    this.jobs.clear();
    this.setReachable(false);
    this.#ended = true;
    for (const id of this.volumes.own.volumes)
      this.#watch.onVolumeDeleted(this, { id, path: null });
  }

  listen(listener: HostListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get states(): JobState[] {
    return [...this.jobs.values()].filter((job) => !job.deleted).map((job) => job.state);
  }

  /** Output of a job from an offset on; empty at its end. */
  outputFrom(jobId: string, offset: number): string {
    return this.jobs.get(jobId)?.output.slice(offset) ?? '';
  }

  get running(): SimJob[] {
    return [...this.jobs.values()].filter((job) => isLive(job.state.phase));
  }

  put(spec: JobSpecForAgent): PutJobAnswer {
    const known = this.jobs.get(spec.id);
    if (!known && this.#random.chance(this.#faults.refusal)) {
      throw new AgentRefusal(400, 'bad_job', 'the job cannot be run here');
    }
    const required = spec.mounts.filter((mount) => !mount.optional).length;
    if (required < describeJob(spec).mounts) {
      throw new Error(`invariant 7: ${spec.job_name} was to start without its mounts`);
    }
    const job = known ?? this.#begin(spec);
    return { state: job.state, missing: { archives: [], code: false } };
  }

  start(id: string): JobState {
    const job = this.#get(id);
    if (job.state.phase === 'held') this.#later(job, 0.05, () => this.#run(job));
    return job.state;
  }

  stop(id: string, { grace, reason, message }: StopJob): JobState {
    const job = this.#get(id);
    if (!isLive(job.state.phase)) return job.state;
    const end = () =>
      this.#exit(job, {
        status: job.state.phase === 'running' ? 130 : null,
        reason: grace ? null : reason,
        message,
      });
    if (!grace) this.#later(job, 0.01, end);
    else if (!job.script.stubborn) this.#later(job, this.#random.next() * 3, end);
    return job.state;
  }

  /** Agents of the last version refuse it as a command that they do not know. */
  notice(
    id: string,
    { id: noticeId, reason, message, interrupt_in, ends_in }: NoticeJob,
  ): JobState {
    const job = this.#getNoticed(id);
    const isBegun = job.state.stop_stage !== null;
    if (!isLive(job.state.phase) || isBegun || job.notice === noticeId) return job.state;
    job.notice = noticeId;
    const isPresent = () => job.notice === noticeId && job.state.phase === 'running';
    this.#clock.after(interrupt_in * SECOND, () => {
      if (!isPresent()) return;
      this.#set(job, { stop_stage: 'interrupt', stop_reason: reason });
      const exit = { status: 130, reason, message };
      if (!job.script.stubborn)
        this.#later(job, this.#random.next() * 3, () => this.#exit(job, exit));
    });
    this.#clock.after(ends_in * SECOND, () => {
      if (isPresent()) this.#exit(job, { status: 137, reason, message });
    });
    return job.state;
  }

  withdrawNotice(id: string): JobState {
    const job = this.#getNoticed(id);
    if (job.state.stop_stage === null) job.notice = null;
    return job.state;
  }

  #getNoticed(id: string): SimJob {
    if (!this.#givesNotice) throw new AgentRefusal(404, 'not_found', 'There is no such command');
    return this.#get(id);
  }

  /** Ends the processes that would run forever by SIGKILL, all at once. */
  killForever(): void {
    for (const job of this.running) {
      if (job.state.phase !== 'running' || job.script.seconds !== null) continue;
      this.#exit(job, { status: 137, reason: null, message: null });
    }
  }

  remove(id: string): void {
    const job = this.#get(id);
    if (isLive(job.state.phase)) {
      throw new AgentRefusal(409, 'job_alive', `The job is ${job.state.phase}`);
    }
    job.deleted = true;
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

  #get(id: string): SimJob {
    const job = this.jobs.get(id);
    if (!job) throw new AgentRefusal(404, 'unknown_job', `No job ${id} is known here`);
    return job;
  }

  #begin(spec: JobSpecForAgent): SimJob {
    const job: SimJob = {
      spec,
      script: describeJob(spec),
      deleted: false,
      notice: null,
      output: '',
      cancel: () => {},
      state: acceptedJob(spec.id),
    };
    this.jobs.set(spec.id, job);
    this.#push(job);
    this.#later(job, this.#random.next() * 0.2, () => this.#pull(job));
    return job;
  }

  #pull(job: SimJob): void {
    this.#set(job, { phase: 'pulling' });
    this.#later(job, this.#random.next() * 5, () => {
      if (this.#hung) {
        const exit = { status: null, reason: 'creating_container_error', message: HUNG };
        this.#exit(job, { ...exit, host_fault: 'daemon_hung' });
        return;
      }
      if (job.spec.hold) this.#set(job, { phase: 'held' });
      else this.#run(job);
    });
  }

  #run(job: SimJob): void {
    const lacks = ({ volume }: JobMount) => volume !== null && !this.volumes.mount(volume);
    const missing = job.spec.mounts.find(lacks)?.volume;
    if (missing) {
      this.#watch.onVolumeMissing(this, job.spec, missing);
      const message = 'The volume is not on this host any more';
      this.#exit(job, { status: null, reason: 'volume_error', message });
      return;
    }
    this.#watch.onStarted(this, job.spec);
    const at = {
      ssh_port: 40_000 + this.#random.whole(0, 9_999),
      working_dir: '/',
      username: 'root',
    };
    this.#set(job, { phase: 'running', ...at });
    this.#print(job);
    this.#limit(job);
    const { seconds, exitStatus } = job.script;
    const crashes = this.#random.chance(this.#faults.crash);
    if (seconds === null && !crashes) return;
    const lasts = crashes ? this.#random.next() * 20 : (seconds ?? 0);
    this.#later(job, lasts, () =>
      this.#exit(job, { status: crashes ? 137 : exitStatus, reason: null, message: null }),
    );
  }

  /** `max_duration`, by the clock of the host. */
  #limit(job: SimJob): void {
    const { max_duration, stop_duration } = job.spec;
    if (max_duration === null) return;
    const reason = 'max_duration_exceeded';
    this.#clock.after(max_duration * SECOND, () => {
      if (job.state.phase !== 'running') return;
      this.#set(job, { stop_stage: 'interrupt', stop_reason: reason });
      if (job.script.stubborn && stop_duration === null) return;
      const lasts = job.script.stubborn ? (stop_duration ?? 0) : this.#random.next() * 3;
      this.#later(job, lasts, () => this.#exit(job, { status: 130, reason, message: null }));
    });
  }

  #exit(job: SimJob, exit: JobExit): void {
    if (!isLive(job.state.phase)) return;
    job.cancel();
    if (job.state.phase === 'running') this.#append(job, `the end of ${job.spec.job_name}\n`);
    this.#set(job, { phase: 'exited', exit, log_end: job.output.length });
  }

  /** A few lines, while the process runs. */
  #print(job: SimJob): void {
    const lines = this.#random.whole(0, 4);
    for (let line = 0; line < lines; line++) {
      this.#clock.after(this.#random.next() * 60 * SECOND, () => {
        const text = 'x'.repeat(this.#random.whole(0, 200));
        if (job.state.phase === 'running') this.#append(job, `${line} ${text}\n`);
      });
    }
  }

  #append(job: SimJob, text: string): void {
    job.output += text;
    this.#outputs.set(job.spec.id, job.output);
    for (const listener of this.#listeners) listener.onOutput(job.spec.id);
  }

  /** A job has one pending event at a time: a new one replaces the previous one. */
  #later(job: SimJob, seconds: number, then: () => void): void {
    job.cancel();
    job.cancel = this.#clock.after(seconds * SECOND, then);
  }

  #set(job: SimJob, patch: Partial<JobState>): void {
    job.state = { ...job.state, ...patch, seq: job.state.seq + 1 };
    this.#push(job);
  }

  #push(job: SimJob): void {
    for (const listener of this.#listeners) listener.onState(job.state);
  }
}

export function mountsVolume({ mounts }: JobSpecForAgent, id: string): boolean {
  return mounts.some(({ volume }) => volume?.id === id);
}
