/** The agent from its start to its end, without what its port needs to accept connections. */
import { startAgent } from './agent.ts';
import { chooseExecutor } from './choose-executor.ts';
import { healthPeriod } from './host/health/host-health.ts';
import type { EventLogger } from './host/log.ts';
import { PowerOff } from './host/power-off.ts';
import { bootId } from './host/process-identity.ts';
import { HostLogin } from './host-login.ts';
import type { OpenJobAccess } from './jobs/job-access.ts';
import { executorOfLiveJobs, jobsDirectory, readRecords } from './jobs/job-record.ts';
import { lateJobAccess } from './late-job-access.ts';
import type { AgentOptions } from './options.ts';
import type { Owner } from './owner.ts';
import { agentVersion } from './version.ts';
import { DeviceMounts } from './volumes/device-mounts.ts';

export interface AgentRun {
  readonly options: AgentOptions;
  readonly owner: Owner;
  readonly token: string;
  readonly log: EventLogger;
  /** The agent's socket is open. */
  readonly onListening: () => void;
}

const METRICS_MS = 10_000;

/** Resolves when the agent has ended. */
export async function runAgent({
  options,
  owner,
  token,
  log,
  onListening,
}: AgentRun): Promise<void> {
  let end = (_reason: string): void => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  process.on('SIGHUP', () => {});
  const devices = new DeviceMounts();
  const kind = executorFor(options, log);
  const { executor, diskPath } = await chooseExecutor(
    { ...options, executor: kind },
    process.env,
    log,
    devices,
  );
  const hostLogin =
    options.authorizedKeys === null ? null : new HostLogin(options.authorizedKeys, log);
  const ssh = new LoadedLater(options.stateDir, log);
  // The server of a single job is reached at once by few users, and many such agents start together.
  const openAccess = options.jobContainer ? lateJobAccess(() => ssh.load(), log) : ssh.open;
  const power = new PowerOff(log);
  const agent = await startAgent({
    stateDir: options.stateDir,
    socket: options.socket,
    token,
    executor,
    devices,
    jobHomes: executor.kind === 'process' ? (options.jobUsers?.homes ?? null) : null,
    owner,
    diskPath,
    openAccess: hostLogin?.withJobs(openAccess) ?? openAccess,
    openShells: hostLogin && ((keys) => hostLogin.openShells(keys)),
    version: agentVersion(),
    exitWhenIdle: options.exitWhenIdle,
    metricsMs: METRICS_MS,
    healthMs: healthPeriod(process.env, log),
    log,
    onIdle: () => end('idle'),
    onLeaseEnd: (ending) => (ending === 'exit' ? end('lease') : void power.request()),
  });
  onListening();
  if (!options.jobContainer) ssh.load();
  log.info('ending', { reason: await ended });
  // Nothing of the job outlives its container.
  if (options.jobContainer) {
    await Promise.all([agent.stopJobs('Its container is being ended'), agent.leaveGateways()]);
  }
  await agent.close();
  hostLogin?.close();
}

/** The SSH servers of jobs: their library takes as long to load as the rest of the agent. */
class LoadedLater {
  readonly #stateDir: string;
  readonly #log: EventLogger;
  #loaded: Promise<OpenJobAccess> | null = null;

  constructor(stateDir: string, log: EventLogger) {
    this.#stateDir = stateDir;
    this.#log = log;
  }

  readonly open: OpenJobAccess = async (options) => (await this.load())(options);

  load(): Promise<OpenJobAccess> {
    this.#loaded ??= import('./job-ssh.ts').then(({ openJobAccess }) =>
      openJobAccess(this.#stateDir, this.#log),
    );
    return this.#loaded;
  }
}

function executorFor(options: AgentOptions, log: EventLogger): AgentOptions['executor'] {
  const records = readRecords(jobsDirectory(options.stateDir), () => {});
  const needed = executorOfLiveJobs(records, bootId());
  if (needed === null) return options.executor;
  const isOther = options.executor !== 'auto' && options.executor !== needed;
  if (isOther) log.info('live jobs need another executor', { asked: options.executor, needed });
  return needed;
}
