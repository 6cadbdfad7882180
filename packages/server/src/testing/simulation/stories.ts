/** The stories beside the ordinary one: each has one kind of trouble more often. */
import type { SimulationOptions } from './simulation-options.ts';

export interface Story {
  /** The rule that holds in it, as the name of its test. */
  readonly name: string;
  /** The number of its steps, as a part of those of an ordinary story; omitted: 1. */
  readonly part?: number;
  readonly options: Omit<SimulationOptions, 'seed' | 'steps'>;
}

export const STORIES: readonly Story[] = [
  {
    name: 'no run fails for a container engine that hangs',
    options: {
      faults: {
        ...{ hangDaemon: 4, reviveDaemon: 2, removeContainer: 1, restartDaemon: 1, crash: 0 },
        nothing: 4,
      },
    },
  },
  {
    name: 'no job is given up by a server that can open no connection for a long time',
    options: {
      faults: {
        // Jobs must run first, and nothing else may end them within the tolerance of their hosts.
        ...{ breakLink: 0.2, failHost: 0, hangDaemon: 0, restartDaemon: 0, removeContainer: 0 },
        ...{ crash: 0, interrupt: 0, vanish: 0, exhaust: 0.6, refill: 0.3 },
      },
    },
  },
  {
    name: 'old runs are deleted while everything else goes on, and nothing of them is left',
    options: { retention: true },
  },
  {
    name: 'nothing ends for want of an answer that came while servers were stopped',
    options: { faults: { suspend: 3, resume: 1.5, crash: 0.2 } },
  },
  {
    name: 'nothing ends for want of an answer that came while no server worked for hours',
    part: 1 / 2,
    options: { faults: { outage: 1.5, crash: 0.2 } },
  },
  {
    name: 'servers that restart every few minutes give up what does not answer',
    part: 1 / 6,
    options: { faults: { restarts: 2, crash: 0, outage: 0 }, neverReady: 0.8 },
  },
  {
    name: 'a crowd that fights for few hosts gets what it is guaranteed, in its order, and no limit is exceeded',
    options: {
      faults: {
        // Few faults, or there are seldom hosts to fight for.
        ...{ breakLink: 0.1, failHost: 0.05, hangDaemon: 0.05, restartDaemon: 0.05 },
        ...{ restoreHost: 3, repairHost: 2, removeContainer: 0.05, exhaust: 0.05, outage: 0 },
      },
      isCrowd: true,
    },
  },
  {
    name: 'a server on SQLite ends nothing because its clock is set or it was stopped',
    options: { faults: { suspend: 1, resume: 2, outage: 0 }, hasOwnClock: true },
  },
  {
    name: 'fleets are empty in windows of maintenance, and everything goes on afterwards',
    options: { faults: { outage: 0.3 }, hasWindows: true },
  },
  {
    name: 'agents and gateways that lie change nothing that is not their own',
    options: { faults: { agentLies: 8, gateway: 12, crash: 0.8 } },
  },
  {
    name: 'arrays and runs that depend on others end as they must',
    options: { arrays: 6 },
  },
];
