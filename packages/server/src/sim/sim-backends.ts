import { dirname, join } from 'node:path';
import type { Backend } from '@dstack/backends';
import type { OpenedSim } from '@dstack/backends/sim';
import type { SimBackendConfig } from '@dstack/contract';
import { requirementsMatch } from '@dstack/core';
import type { BackendRecord } from '@dstack/store';
import { makeSocketFolder, socketPath } from '../hosts/socket-folder.ts';
import { assets } from '../process/assets.ts';
import { serverFolder } from '../process/server-folders.ts';
import type { ServerSettings } from '../settings/settings.ts';
import { simConfigOf } from './sim-rows.ts';

/** The simulated backends of a server. */
export interface SimBackends {
  /** Null: the row is not a simulated backend. */
  of(row: BackendRecord): Backend | null;
  /** Starts the agents that ended with an earlier process of the server. */
  resume(rows: readonly BackendRecord[]): Promise<void>;
  close(): void;
}

/** Null if the environment does not allow them. */
export async function simBackends(
  { sim, dir }: Pick<ServerSettings, 'sim' | 'dir'>,
  serverId: string,
): Promise<SimBackends | null> {
  if (!sim) return null;
  const { openSim } = await import('@dstack/backends/sim');
  const opened = new Map<string, OpenedSim>();
  const open = ({ id, projectId }: BackendRecord, config: SimBackendConfig): OpenedSim => {
    const known = opened.get(id);
    if (known) return known;
    const made = openSim({
      config,
      serverId,
      dir: config.dir ?? join(serverFolder(dir, 'sim'), `${projectId}-${config.as}`),
      node: process.execPath,
      program: assets.agentProgram,
      socketFolder,
      matches: requirementsMatch,
    });
    opened.set(id, made);
    return made;
  };
  return {
    of: (row) => {
      const config = simConfigOf(row);
      return config && open(row, config).backend;
    },
    async resume(rows) {
      for (const row of rows) {
        const config = simConfigOf(row);
        if (config) await open(row, config).resume();
      }
    },
    close: () => {
      for (const one of opened.values()) one.close();
    },
  };
}

/** The folder of the sockets for this path. */
function socketFolder(path: string): string {
  const socket = socketPath(path);
  makeSocketFolder(socket);
  return dirname(socket);
}
