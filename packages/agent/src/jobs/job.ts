import type {
  HostGpu,
  JobExit,
  JobPhase,
  JobState,
  NoticeJob,
  PullProgress,
  PutJobAnswer,
  StartJob,
  StopJob,
} from '@dstack/contract/agent';
import { errorMessage } from '@dstack/contract/error-message';
import type { Execution, ExecutionExit, Executor, ExecutorJob } from '../executor/executor.ts';
import { INTERRUPTED, JobFailure, systemFault } from '../executor/job-failure.ts';
import type { JobFolder } from '../executor/job-folder.ts';
import type { EventLogger } from '../host/log.ts';
import { bootId } from '../host/process-identity.ts';
import { FileSpoolReader } from '../spool/file-spool-reader.ts';
import { adoptPatiently } from './adopt-patiently.ts';
import { bootClock, durationLeft } from './duration-limit.ts';
import { DurationTimer } from './duration-timer.ts';
import { endByRestart } from './host-restart.ts';
import type { OpenJobAccess } from './job-access.ts';
import { JobLog } from './job-log.ts';
import { isReportedDone, NoticeTimers, noticeOf } from './job-notice.ts';
import { isLive, mayPhaseFollow } from './job-phase.ts';
import { JobReach } from './job-reach.ts';
import { type AgentJobRecord, withoutSecrets } from './job-record.ts';
import { missingUploads } from './job-uploads.ts';
import { RecordedState } from './recorded-state.ts';
import type { StopRequest } from './stop-plan.ts';
import { StopStages } from './stop-stages.ts';

/** The parts of the agent that a job uses. */
export interface JobServices {
  readonly executor: Executor;
  readonly log: EventLogger;
  /** The next number for a `state` frame. */
  nextNumber(): number;
  /** Called after a state is durable. */
  onState(number: number, state: JobState): void;
  onPull(id: string, progress: PullProgress): void;
  /** Reserves GPUs. Throws `JobFailure` if too few are free. */
  takeGpus(count: number | null): readonly HostGpu[];
  readonly openAccess: OpenJobAccess;
  /** Called when the job no longer uses resources. */
  onEnded(): void;
}

/** One job from its `PUT` to its `DELETE`. */
export class AgentJob {
  readonly id: string;
  readonly folder: JobFolder;
  /** The job's output. */
  readonly log = new JobLog();
  /** Access of users and the server to the job while it runs. */
  readonly reach: JobReach;
  readonly #services: JobServices;
  readonly #log: EventLogger;
  readonly #abort = new AbortController();
  readonly #closing = new AbortController();
  readonly #deadlineTimer = new DurationTimer();
  readonly #state: RecordedState;
  readonly #stages: StopStages;
  readonly #notice: NoticeTimers;
  #execution: Execution | null = null;
  readonly #held = Promise.withResolvers<void>();
  readonly #started = Promise.withResolvers<void>();
  #going = false;

  constructor(record: AgentJobRecord, folder: JobFolder, services: JobServices) {
    this.id = record.spec.id;
    this.folder = folder;
    this.#services = services;
    this.#log = services.log.child({ job: this.id });
    this.#state = new RecordedState(record, {
      path: folder.record,
      log: this.#log,
      logEnd: () => this.log.end,
      nextNumber: () => services.nextNumber(),
      onState: (number, state) => services.onState(number, state),
    });
    this.reach = new JobReach({
      ...{ state: this.#state, folder, logs: this.log, openAccess: services.openAccess },
      execution: () => this.#execution,
      started: this.#started.promise,
    });
    this.#stages = new StopStages(this.#state, this.#log);
    this.#notice = new NoticeTimers(
      {
        interrupt: ({ reason, message }, limit) =>
          this.#stop({ grace: true, reason, message, limit }),
        kill: ({ reason, message }) => this.#stop({ grace: false, reason, message }),
      },
      this.#log,
    );
  }

  get record(): AgentJobRecord {
    return this.#state.record;
  }

  get phase(): JobPhase {
    return this.#state.phase;
  }

  /** The present state; `log_end` may be newer than in the last frame. */
  get state(): JobState {
    return { ...this.record.state, log_end: this.log.end };
  }

  get execution(): Execution | null {
    return this.#execution;
  }

  get answer(): PutJobAnswer {
    const missing =
      this.phase === 'accepted'
        ? missingUploads(this.record.spec, this.folder)
        : { archives: [], code: false };
    return { state: this.state, missing };
  }

  /** Starts the job, or continues from the record. Never throws: a failure becomes the exit. */
  go(): void {
    if (this.#going || this.record.deletedAt !== null) return;
    if (this.phase === 'accepted' && this.#waitsForUploads()) return;
    this.#going = true;
    const run = this.phase === 'exited' ? this.#reopen() : this.#run();
    run.catch((error) => this.#fail(error));
  }

  start(order: StartJob): void {
    if (this.phase !== 'held') return;
    const { spec } = this.record;
    this.#state.save({
      cluster: order.cluster,
      spec: {
        ...spec,
        commands: order.commands ?? spec.commands,
        shell_commands: order.shell_commands ?? spec.shell_commands,
      },
    });
    this.#held.resolve();
  }

  /** A stop without grace replaces one with grace; otherwise the first one counts. */
  stop(order: StopJob): void {
    this.#stop(order);
  }

  /** The job has to leave the host; see `NoticeJob`. A stop that was requested before goes on. */
  notice(order: NoticeJob): void {
    const { stop, notice } = this.record;
    if (!isLive(this.phase) || stop !== null || notice?.id === order.id) return;
    this.#state.save({ notice: noticeOf(order) });
    this.#log.info('notice', { interrupt_in: order.interrupt_in, ends_in: order.ends_in });
    this.#followNotice();
  }

  /** The job may stay; too late after Ctrl-C, which `stop_stage` then shows. */
  withdrawNotice(): void {
    if (!isLive(this.phase) || this.record.stop !== null || !this.record.notice) return;
    this.#state.save({ notice: null });
    this.#log.info('notice withdrawn');
    this.#followNotice();
  }

  #followNotice(): void {
    if (this.#execution === null || this.phase !== 'running') return;
    this.#notice.follow(this.record.notice ?? null, this.#execution);
  }

  #stop(order: StopJob & Pick<StopRequest, 'limit'>): void {
    if (!isLive(this.phase)) return;
    const earlier = this.record.stop;
    if (earlier && (!earlier.grace || order.grace)) return;
    const { grace, reason, message, limit } = order;
    const asked = {
      ...{ requestedAt: Date.now(), grace, reason, message },
      ...(limit === undefined ? {} : { limit }),
    };
    // The first reason stays the job's reason.
    const stop = earlier ? { ...asked, reason: earlier.reason, message: earlier.message } : asked;
    this.#state.save({ stop });
    this.#log.info('stop', { grace, reason: stop.reason });
    if (this.#execution) this.#stages.pursue(this.#execution);
    else {
      this.#abort.abort();
      // A job that waits for uploads is not running, so it exits here.
      if (!this.#going) this.#exit({ status: null, reason: null, message: null });
    }
  }

  /**
   * Frees the job's resources on the host. Its SSH access and output stay until `close`. After a
   * failure the job is not deleted, and may be discarded again.
   */
  async discard(): Promise<void> {
    await this.#services.executor.remove(this.#asExecutorJob());
    this.folder.removeUploads();
    this.#state.save({ deletedAt: Date.now(), spec: withoutSecrets(this.record.spec, false) });
  }

  /** Releases the job without ending it. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#stages.clear();
    this.#notice.clear();
    this.#deadlineTimer.clear();
    this.#execution?.release();
    await this.reach.close();
  }

  async #run(): Promise<void> {
    const { executor } = this.#services;
    if (this.phase === 'running') return this.#resume();
    // An earlier agent may have started it and died before recording that. Even a stop must find
    // it.
    if (this.phase === 'starting') {
      const started = await executor.adopt(this.#asExecutorJob());
      if (started) return this.#afterStart(started);
    }
    this.#abortIfStopped();
    this.#state.advance('preparing');
    if (this.record.gpus.length === 0 && this.record.spec.gpus !== 0) {
      this.#state.save({ gpus: this.#services.takeGpus(this.record.spec.gpus) });
    }
    if (executor.pulls && mayPhaseFollow(this.phase, 'pulling')) this.#state.advance('pulling');
    if (this.phase !== 'starting') {
      const onProgress = (progress: PullProgress) => this.#services.onPull(this.id, progress);
      await executor.pull(this.#asExecutorJob(), onProgress, this.#abort.signal);
      await this.#holdIfAsked();
    }
    this.#abortIfStopped();
    this.#state.advance('starting', {}, { bootId: bootId() });
    await this.reach.open();
    const onSlow = (awaited: string | null) => this.#state.change({ waits_for: awaited });
    const { signal } = this.#abort;
    await this.#afterStart(await executor.start(this.#asExecutorJob(), signal, onSlow));
  }

  async #afterStart(execution: Execution): Promise<void> {
    this.#attach(execution);
    await this.reach.openUnlessOpen();
    this.#becomeRunning(execution);
    await this.#followToEnd(execution);
  }

  /** A stop of a job that cannot be adopted yet is pursued once it is: until then it may run. */
  async #resume(): Promise<void> {
    const { executor } = this.#services;
    const execution = await adoptPatiently(() => executor.adopt(this.#asExecutorJob()), {
      signal: this.#closing.signal,
      log: this.#log,
      onWait: (awaited) => this.#state.change({ waits_for: awaited }),
    });
    if (this.#closing.signal.aborted) return execution?.release();
    if (!execution) {
      const message = 'The job was lost: nothing of it was left on the host';
      throw new JobFailure(INTERRUPTED, message, { hostFault: 'job_lost' });
    }
    this.#attach(execution);
    await this.reach.open();
    this.#armDeadline();
    await this.#followToEnd(execution);
  }

  /** Restores output and SSH access of an ended job that was not deleted. */
  async #reopen(): Promise<void> {
    this.log.finish(new FileSpoolReader(this.folder.spool));
    if (this.record.state.ssh_port !== null) await this.reach.open();
  }

  async #holdIfAsked(): Promise<void> {
    if (!this.record.spec.hold || this.record.cluster) return;
    this.#state.advance('held');
    const aborted = new Promise<void>((done) => {
      this.#abort.signal.addEventListener('abort', () => done(), { once: true });
    });
    await Promise.race([this.#held.promise, aborted]);
  }

  #attach(execution: Execution): void {
    this.#execution = execution;
    this.log.attach(execution.spool);
    this.#started.resolve();
  }

  #becomeRunning(execution: Execution): void {
    const { spec, deadline } = this.record;
    const limit = spec.max_duration === null ? null : spec.max_duration * 1000;
    const { bootId: boot, ms } = bootClock();
    this.reach.observeSince(ms);
    this.#state.advance(
      'running',
      {
        working_dir: execution.workingDir,
        username: execution.account.username,
        container_ip: execution.containerIp,
      },
      {
        account: execution.account,
        deadline: deadline ?? (limit === null ? null : Date.now() + limit),
        endsAt: this.record.endsAt ?? (limit === null ? null : { bootId: boot, ms: ms + limit }),
        runningAt: Date.now(),
        spec: withoutSecrets(spec, this.#services.executor.kind === 'docker'),
      },
    );
    this.folder.removeUploads();
    this.#armDeadline();
  }

  async #followToEnd(execution: Execution): Promise<void> {
    if (this.record.stop) this.#stages.pursue(this.#execution);
    if (this.record.notice && this.record.stop) this.#notice.hasBegun(this.record.notice);
    if (this.record.notice) this.#followNotice();
    const exit = await execution.exited;
    this.#exit(exit, await this.#isDone(execution, exit));
  }

  /** The process has ended after Ctrl-C of a notice, and has written that nothing is left to do. */
  async #isDone(execution: Execution, exit: ExecutionExit): Promise<boolean> {
    const { stop, notice } = this.record;
    if (!notice || stop?.limit === undefined || exit.status !== 0) return false;
    return await isReportedDone(execution, this.#log);
  }

  #armDeadline(): void {
    const { spec, deadline, endsAt = null } = this.record;
    const limit = { seconds: spec.max_duration, deadline, endsAt };
    const left = durationLeft(limit, bootClock(), Date.now());
    if (left === null) return;
    this.#deadlineTimer.set(left, () =>
      this.stop({ grace: true, reason: 'max_duration_exceeded', message: 'Max duration exceeded' }),
    );
  }

  /** `isOwn`: whatever stopped it, the job is done. */
  #exit(exit: JobExit, isOwn = false): void {
    if (this.phase === 'exited') return;
    this.#stages.clear();
    this.#notice.clear();
    this.#deadlineTimer.clear();
    this.#started.resolve();
    void this.reach.ended();
    this.log.finish(new FileSpoolReader(this.folder.spool));
    const { stop } = this.record;
    const own = stop ? exit : endByRestart(exit, this.record.bootId ?? null, bootId());
    // Whatever else interrupted a job that was to end does not count.
    const isPlain = exit.reason === null || exit.reason === INTERRUPTED;
    const final = stop && !isOwn && isPlain ? { status: exit.status, ...reasonOf(stop) } : own;
    this.#log.info('exited', { ...final });
    const spec = withoutSecrets(this.record.spec, false);
    this.#state.advance('exited', { exit: final, log_end: this.log.end }, { spec });
    this.folder.removeUploads();
    this.#services.onEnded();
  }

  #fail(error: unknown): void {
    if (this.record.stop && this.#abort.signal.aborted) {
      this.#exit({ status: null, reason: null, message: null });
      return;
    }
    const message = errorMessage(error);
    const reason = error instanceof JobFailure ? error.reason : 'executor_error';
    const fault = error instanceof JobFailure ? error.hostFault : systemFault(error);
    this.#log.error('failed', error, { reason, ...(fault ? { fault } : {}) });
    this.#exit({ status: null, reason, message, ...(fault ? { host_fault: fault } : {}) });
  }

  #waitsForUploads(): boolean {
    const { archives, code } = missingUploads(this.record.spec, this.folder);
    return archives.length > 0 || code;
  }

  #asExecutorJob(): ExecutorJob {
    const { spec, cluster, gpus } = this.record;
    return { spec, cluster, gpus, folder: this.folder };
  }

  #abortIfStopped(): void {
    if (this.record.stop) this.#abort.abort();
    this.#abort.signal.throwIfAborted();
  }
}

function reasonOf(stop: StopRequest): { reason: string; message: string | null } {
  return { reason: stop.reason, message: stop.message };
}
