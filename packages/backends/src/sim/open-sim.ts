import { join } from 'node:path';
import { type SimBackendConfig, type SimFaults, simFaultsOf } from '@dstack/contract';
import type { Requirements } from '@dstack/contract/wire';
import type { Offer } from '@dstack/core';
import type { Backend } from '../base/port.ts';
import { NAMED_DISKS, type SimDisks } from './disks.ts';
import { fileTables } from './file-tables.ts';
import { controlledFaults } from './knobs.ts';
import { SIM_OFFERS } from './offers.ts';
import { type SimAgents, SimProvider } from './provider.ts';
import { hasLoopDisks, loopDisks } from './real/loop-disks.ts';
import { MAX_REAL_AGENTS, realAgents } from './real/real-agents.ts';
import { realClock, realRandom } from './real-time.ts';
import { ScriptedAgents } from './scripted/scripted-agents.ts';
import { simBackend } from './sim.ts';

export interface OpenSimOptions {
  readonly config: SimBackendConfig;
  /** The folder in which the provider keeps its state. */
  readonly dir: string;
  /** Node, and the agent's program, for real agents. */
  readonly node: string;
  readonly program: string;
  readonly serverId: string;
  /**
   * Creates the folder for the sockets of this path: short, and only for the user of this process.
   */
  readonly socketFolder: (path: string) => string;
  readonly matches: (requirements: Requirements, offer: Offer) => boolean;
}

export interface OpenedSim {
  readonly backend: Backend;
  /** Starts the agents that ended with an earlier process. */
  resume(): Promise<void>;
  /** Ends the agents that live in this process; agent programs continue. */
  close(): void;
}

/**
 * The simulated backend of a server: the state of its provider is a folder, which outlives the
 * process.
 */
export function openSim(options: OpenSimOptions): OpenedSim {
  const { config, dir, matches } = options;
  const isReal = config.agent === 'real';
  const scripted = isReal ? null : new ScriptedAgents(options.socketFolder(dir));
  const agents: SimAgents = scripted ?? realAgents({ ...options, executor: config.executor });
  const tables = fileTables(dir);
  const faults = controlledFaults(dir, simFaultsOf(config));
  const provider = new SimProvider({
    clock: realClock,
    random: realRandom,
    faults: isReal ? () => limited(faults()) : faults,
    ...{ tables, agents },
    disks: isReal ? realDisks(dir) : NAMED_DISKS,
  });
  const backend = simBackend({
    ...{ as: config.as, provider, matches, offers: SIM_OFFERS },
    ...{ watch: config.watch, hasNoSshd: isReal, noticeUrl: config.notice_url },
  });
  return { backend, resume: () => provider.resume(), close: () => scripted?.close() };
}

/** Without devices, a job that mounts a volume is refused at its start. */
function realDisks(dir: string): SimDisks {
  const none: SimDisks = { ...NAMED_DISKS, attach: async () => null };
  return hasLoopDisks() ? loopDisks(join(dir, 'disks')) : none;
}

function limited(faults: SimFaults): SimFaults {
  return { ...faults, quota: Math.min(faults.quota, MAX_REAL_AGENTS) };
}
