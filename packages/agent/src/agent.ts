import { uptime } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type AgentInfo,
  FEATURES,
  type HostShellKeys,
  LEASE_FILE,
  type LeaseEnding,
  PROTOCOL,
} from '@dstack/contract/agent';
import type { Executor } from './executor/executor.ts';
import { GatewayPrograms } from './gateways/gateway-programs.ts';
import { nowMicros } from './host/clock.ts';
import { findHostFacts } from './host/host-facts.ts';
import type { EventLogger } from './host/log.ts';
import { MetadataWatch } from './host/notices/metadata-watch.ts';
import { bootId } from './host/process-identity.ts';
import type { OpenJobAccess } from './jobs/job-access.ts';
import { JobRegistry } from './jobs/registry.ts';
import { ServerLease } from './jobs/server-lease.ts';
import { listenAt } from './listening.ts';
import type { Owner } from './owner.ts';
import { HealthReports } from './protocol/health-reports.ts';
import { AgentServer } from './protocol/http-server.ts';
import { MetricsTicker } from './protocol/metrics-ticker.ts';
import { ensureSocketFolder, removeSocketFolder } from './socket-folder.ts';
import { publicHostKey } from './ssh/host-key-file.ts';
import type { DeviceMounts } from './volumes/device-mounts.ts';
import { VolumeDirectories } from './volumes/volume-directories.ts';

export interface AgentSetup {
  readonly stateDir: string;
  readonly socket: string;
  readonly token: string;
  readonly executor: Executor;
  readonly devices: Pick<DeviceMounts, 'unmount'>;
  /** The folder of the files of jobs with their own users; null = with their records. */
  readonly jobHomes: string | null;
  readonly owner: Owner;
  readonly openAccess: OpenJobAccess;
  /** Null = this host opens no shells to users of the server. */
  readonly openShells: ((keys: HostShellKeys) => void) | null;
  readonly version: string;
  /** Where images and jobs are stored; free disk is measured there. */
  readonly diskPath: string;
  readonly exitWhenIdle: number | null;
  /** Time between two reports of the jobs' resources. */
  readonly metricsMs: number;
  /** Time between two checks of the host's health; null = none. */
  readonly healthMs: number | null;
  readonly log: EventLogger;
  /** Called once when the agent is idle and should end. */
  readonly onIdle: () => void;
  /** Called when the machine has to end because its server has not been here for long, until it ends. */
  readonly onLeaseEnd: (ending: LeaseEnding) => void;
}

/** Time between two checks whether the socket still exists. */
const LOOK_MS = 5_000;

/** A running agent. Jobs continue when it is closed. */
export interface RunningAgent {
  /** Stops all jobs like a user does, because their container ends; resolves when they have ended. */
  stopJobs(message: string): Promise<void>;
  /** Lets gateways answer what they have begun, because their container ends. */
  leaveGateways(): Promise<void>;
  close(): Promise<void>;
}

/** Recovers the jobs of earlier agents, then listens. */
export async function startAgent(setup: AgentSetup): Promise<RunningAgent> {
  const { executor, owner, log } = setup;
  const socketDir = dirname(setup.socket);
  ensureSocketFolder(socketDir);
  const facts = {
    ...(await findHostFacts(setup.diskPath)),
    ssh_host_key: publicHostKey(setup.stateDir),
  };
  const registry = new JobRegistry({
    stateDir: setup.stateDir,
    socketDir,
    jobHomes: setup.jobHomes,
    executor,
    gpus: facts.gpus,
    log,
    openAccess: setup.openAccess,
  });
  const info = (): AgentInfo => ({
    version: setup.version,
    features: FEATURES,
    protocol: PROTOCOL,
    server_id: owner.id,
    executor: executor.kind,
    host: facts,
    time: nowMicros(),
  });
  await registry.recover();
  const gateways = new GatewayPrograms({
    stateDir: setup.stateDir,
    runtimeDir: socketDir,
    log,
    onCount: () => idle.look(),
  });
  const idle = new IdleWatch(setup, () => registry.hasLiveJobs || gateways.hasAny);
  gateways.recover();
  const volumes = new VolumeDirectories({
    stateDir: setup.stateDir,
    whyNoMounts: () => executor.whyNoMounts(),
    isMounted: (id) => registry.mountsVolume(id),
    devices: setup.devices,
    log,
  });
  const health = new HealthReports({
    periodMs: setup.healthMs,
    gpus: facts.gpus,
    paths: [setup.stateDir, setup.diskPath, ...(setup.jobHomes ? [setup.jobHomes] : [])],
    executor: () => setup.executor.check(),
    registry,
    session: () => server.session,
    log,
  });
  const boot = bootId();
  const lease = new ServerLease({
    path: join(setup.stateDir, LEASE_FILE),
    jobs: () => registry.jobs,
    uptime: () => ({ bootId: boot, seconds: uptime() }),
    log,
    onEnd: setup.onLeaseEnd,
  });
  const notices = new MetadataWatch({
    log,
    onNotice: (frame) => server.session?.onNotice(frame),
  });
  const allEnded = Promise.withResolvers<void>();
  let isEnding = false;
  const lookForEnd = () => {
    if (isEnding && !registry.hasLiveJobs) allEnded.resolve();
  };
  registry.onJobEnded(() => {
    idle.look();
    lease.look();
    lookForEnd();
  });
  const server = new AgentServer({
    token: setup.token,
    info,
    health: () => health.frame,
    notices,
    registry,
    volumes,
    gateways,
    log,
    planImages: (plan) => executor.planImages(plan),
    openShells: setup.openShells,
    claim: (serverId) => owner.claim(serverId),
    lease,
    onPresence: (present) => idle.setPresent(present),
  });
  const ticker = new MetricsTicker(registry, () => server.session, setup.metricsMs, log);
  const socket = { http: server.http, path: setup.socket, lookMs: LOOK_MS, log };
  const stopListening = await listenAt(socket);
  idle.look();
  lease.look();
  log.info('listening', { socket: setup.socket, executor: executor.kind });
  return {
    stopJobs: async (message) => {
      isEnding = true;
      const order = { grace: true, reason: 'interrupted_by_no_capacity', message };
      registry.stopAll(order);
      lookForEnd();
      await allEnded.promise;
    },
    leaveGateways: () => gateways.leave(),
    close: async () => {
      idle.close();
      lease.close();
      notices.close();
      ticker.close();
      volumes.close();
      gateways.close();
      health.close();
      stopListening();
      server.close();
      await registry.close();
      executor.close();
      // A job that is about to run creates its own socket there.
      if (!registry.hasLiveJobs) removeSocketFolder(socketDir);
    },
  };
}

/** Ends the agent when no server was connected and no job lived for a while. */
class IdleWatch {
  readonly #setup: AgentSetup;
  readonly #busy: () => boolean;
  #present = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(setup: AgentSetup, busy: () => boolean) {
    this.#setup = setup;
    this.#busy = busy;
  }

  setPresent(present: boolean): void {
    this.#present = present;
    this.look();
  }

  look(): void {
    this.close();
    const { exitWhenIdle, onIdle } = this.#setup;
    if (exitWhenIdle === null || this.#present || this.#busy()) return;
    this.#timer = setTimeout(() => {
      // A job that has started meanwhile causes another check when it ends.
      if (!this.#busy()) onIdle();
    }, exitWhenIdle * 1000);
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
