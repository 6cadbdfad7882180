import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { errorMessage } from '@dstack/contract/error-message';
import { startAgent } from './agent.ts';
import { AgentRunning, endHolder, lockStateDir } from './agent-lock.ts';
import { chooseExecutor } from './choose-executor.ts';
import { readEnvironment } from './environment.ts';
import { healthPeriod } from './host/health/host-health.ts';
import { createEventLogger, type EventLogger } from './host/log.ts';
import { bootId } from './host/process-identity.ts';
import { HostLogin } from './host-login.ts';
import { openJobAccess } from './job-ssh.ts';
import { executorOfLiveJobs, jobsDirectory, readRecords } from './jobs/job-record.ts';
import { type AgentOptions, parseOptions, USAGE } from './options.ts';
import { Owner } from './owner.ts';
import { closeInheritedFiles } from './process/inherited-files.ts';
import { agentVersion } from './version.ts';
import { DeviceMounts } from './volumes/device-mounts.ts';

/** Exit codes: 2 = bad arguments, 3 = belongs to another server, 4 = another agent runs. */
const BAD_USAGE = 2;
const FOREIGN_OWNER = 3;
const ALREADY_RUNNING = 4;

const METRICS_MS = 10_000;

async function main(): Promise<void> {
  closeInheritedFiles();
  let options: AgentOptions;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    const message = errorMessage(error);
    process.stderr.write(`error: ${message}\n\n${USAGE}`);
    process.exit(BAD_USAGE);
  }
  if (options.environment !== null)
    Object.assign(process.env, readEnvironment(options.environment));
  const log = createEventLogger((line) => process.stderr.write(line));
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  closeToOthers(options.stateDir);
  const owner = new Owner(options.stateDir);
  if (options.serverId !== null && !owner.claim(options.serverId, options.takeover)) {
    process.stderr.write(`error: this host belongs to the server ${owner.id}; use --takeover\n`);
    process.exit(FOREIGN_OWNER);
  }
  const unlock = await lock(options);
  await run(options, owner, log, unlock);
}

function executorFor(options: AgentOptions, log: EventLogger): AgentOptions['executor'] {
  const records = readRecords(jobsDirectory(options.stateDir), () => {});
  const needed = executorOfLiveJobs(records, bootId());
  if (needed === null) return options.executor;
  const isOther = options.executor !== 'auto' && options.executor !== needed;
  if (isOther) log.info('live jobs need another executor', { asked: options.executor, needed });
  return needed;
}

/** No other user may read or write. Jobs of another user may need to pass through. */
function closeToOthers(dir: string): void {
  chmodSync(dir, statSync(dir).mode & 0o711);
}

async function lock(options: AgentOptions): Promise<() => void> {
  try {
    if (options.takeover || options.replace) await endHolder(options.stateDir);
    return lockStateDir(options.stateDir);
  } catch (error) {
    if (!(error instanceof AgentRunning)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    process.exit(ALREADY_RUNNING);
  }
}

async function run(
  options: AgentOptions,
  owner: Owner,
  log: EventLogger,
  unlock: () => void,
): Promise<void> {
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
  const openAccess = openJobAccess(options.stateDir, log);
  const agent = await startAgent({
    stateDir: options.stateDir,
    socket: options.socket,
    tokenFile: options.tokenFile,
    tunnel: options.tunnel,
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
    onLeaseEnd: () => end('lease'),
  });
  log.info('ending', { reason: await ended });
  // Nothing of the job outlives its container.
  if (options.jobContainer) await agent.stopJobs('Its container is being ended');
  await agent.close();
  hostLogin?.close();
  unlock();
  process.exit(0);
}

main().catch((error) => {
  process.stderr.write(`error: ${errorMessage(error)}\n`);
  process.exit(1);
});
