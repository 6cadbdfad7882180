/** The jobs of one host of a simulation: each follows its script, with random times and accidents. */
import {
  acceptedJob,
  type HostFault,
  type JobExit,
  type JobMount,
  type JobPhase,
  type JobSpecForAgent,
  type JobState,
  type NoticeJob,
  type PutJobAnswer,
  type StopJob,
  type VolumeSource,
} from '@dstack/contract/agent';
import type { Random } from '@dstack/testkit/random';
import { AgentRefusal } from '../../hosts/agent-client.ts';
import { describeJob, type JobScript } from './job-script.ts';
import type { SimClock } from './sim-clock.ts';
import type { HostVolumes } from './sim-host-volumes.ts';

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

export interface SimJobsParts {
  readonly clock: SimClock['outside'];
  readonly random: Random;
  readonly faults: HostFaults;
  /** The output of every job, kept after the host has ended. */
  readonly outputs: Map<string, string>;
  readonly volumes: HostVolumes;
  /** Whether the container engine answers nothing. */
  readonly isHung: () => boolean;
  /** The process begins. */
  readonly onStarted: (spec: JobSpecForAgent) => void;
  /** A volume that a job mounts is missing when its process should begin. */
  readonly onVolumeMissing: (spec: JobSpecForAgent, volume: VolumeSource) => void;
  readonly onState: (state: JobState) => void;
  readonly onOutput: (jobId: string) => void;
}

/** The message of a start on an engine that hangs. */
export const HUNG = 'the container engine does not answer';

const EXITED: readonly JobPhase[] = ['exited'];
const isLive = (phase: JobPhase): boolean => !EXITED.includes(phase);

export class SimJobs {
  readonly #parts: SimJobsParts;
  readonly #jobs = new Map<string, SimJob>();
  readonly #givesNotice: boolean;

  constructor(parts: SimJobsParts) {
    this.#parts = parts;
    this.#givesNotice = parts.random.chance(0.7);
  }

  get states(): JobState[] {
    return [...this.#jobs.values()].filter((job) => !job.deleted).map((job) => job.state);
  }

  /** Output of a job from an offset on; empty at its end. */
  outputFrom(jobId: string, offset: number): string {
    return this.#jobs.get(jobId)?.output.slice(offset) ?? '';
  }

  get running(): SimJob[] {
    return [...this.#jobs.values()].filter((job) => isLive(job.state.phase));
  }

  put(spec: JobSpecForAgent): PutJobAnswer {
    const known = this.#jobs.get(spec.id);
    if (!known && this.#parts.random.chance(this.#parts.faults.refusal)) {
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
    else if (!job.script.stubborn) this.#later(job, this.#parts.random.next() * 3, end);
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
    this.#parts.clock.after(interrupt_in * SECOND, () => {
      if (!isPresent()) return;
      this.#set(job, { stop_stage: 'interrupt', stop_reason: reason });
      const exit = { status: 130, reason, message };
      if (!job.script.stubborn)
        this.#later(job, this.#parts.random.next() * 3, () => this.#exit(job, exit));
    });
    this.#parts.clock.after(ends_in * SECOND, () => {
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

  endContainers(fault: HostFault & ('daemon_stopped' | 'container_removed')): void {
    const running = this.running.filter(({ state }) => state.phase === 'running');
    const ended = fault === 'daemon_stopped' ? running : running.slice(0, 1);
    const exit = { status: 137, reason: 'interrupted_by_no_capacity', message: fault };
    for (const job of ended) this.#exit(job, { ...exit, host_fault: fault });
  }

  /** They end with their host, and no link reports it. */
  destroy(): void {
    for (const job of this.#jobs.values()) job.cancel();
    this.#jobs.clear();
  }

  #get(id: string): SimJob {
    const job = this.#jobs.get(id);
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
    this.#jobs.set(spec.id, job);
    this.#push(job);
    this.#later(job, this.#parts.random.next() * 0.2, () => this.#pull(job));
    return job;
  }

  #pull(job: SimJob): void {
    this.#set(job, { phase: 'pulling' });
    this.#later(job, this.#parts.random.next() * 5, () => {
      if (this.#parts.isHung()) {
        const exit = { status: null, reason: 'creating_container_error', message: HUNG };
        this.#exit(job, { ...exit, host_fault: 'daemon_hung' });
        return;
      }
      if (job.spec.hold) this.#set(job, { phase: 'held' });
      else this.#run(job);
    });
  }

  #run(job: SimJob): void {
    const lacks = ({ volume }: JobMount) => volume !== null && !this.#parts.volumes.mount(volume);
    const missing = job.spec.mounts.find(lacks)?.volume;
    if (missing) {
      this.#parts.onVolumeMissing(job.spec, missing);
      const message = 'The volume is not on this host any more';
      this.#exit(job, { status: null, reason: 'volume_error', message });
      return;
    }
    this.#parts.onStarted(job.spec);
    const at = {
      ssh_port: 40_000 + this.#parts.random.whole(0, 9_999),
      working_dir: '/',
      username: 'root',
    };
    this.#set(job, { phase: 'running', ...at });
    this.#print(job);
    this.#limit(job);
    const { seconds, exitStatus } = job.script;
    const crashes = this.#parts.random.chance(this.#parts.faults.crash);
    if (seconds === null && !crashes) return;
    const lasts = crashes ? this.#parts.random.next() * 20 : (seconds ?? 0);
    this.#later(job, lasts, () =>
      this.#exit(job, { status: crashes ? 137 : exitStatus, reason: null, message: null }),
    );
  }

  /** `max_duration`, by the clock of the host. */
  #limit(job: SimJob): void {
    const { max_duration, stop_duration } = job.spec;
    if (max_duration === null) return;
    const reason = 'max_duration_exceeded';
    this.#parts.clock.after(max_duration * SECOND, () => {
      if (job.state.phase !== 'running') return;
      this.#set(job, { stop_stage: 'interrupt', stop_reason: reason });
      if (job.script.stubborn && stop_duration === null) return;
      const lasts = job.script.stubborn ? (stop_duration ?? 0) : this.#parts.random.next() * 3;
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
    const lines = this.#parts.random.whole(0, 4);
    for (let line = 0; line < lines; line++) {
      this.#parts.clock.after(this.#parts.random.next() * 60 * SECOND, () => {
        const text = 'x'.repeat(this.#parts.random.whole(0, 200));
        if (job.state.phase === 'running') this.#append(job, `${line} ${text}\n`);
      });
    }
  }

  #append(job: SimJob, text: string): void {
    job.output += text;
    this.#parts.outputs.set(job.spec.id, job.output);
    this.#parts.onOutput(job.spec.id);
  }

  /** A job has one pending event at a time: a new one replaces the previous one. */
  #later(job: SimJob, seconds: number, then: () => void): void {
    job.cancel();
    job.cancel = this.#parts.clock.after(seconds * SECOND, then);
  }

  #set(job: SimJob, patch: Partial<JobState>): void {
    job.state = { ...job.state, ...patch, seq: job.state.seq + 1 };
    this.#push(job);
  }

  #push(job: SimJob): void {
    this.#parts.onState(job.state);
  }
}
