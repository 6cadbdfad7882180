/** The command of the agent in a batch job. */
import { TOKEN_FILE, TUNNEL_FILE } from './folders.ts';
import type { AgentPlaces } from './places.ts';

/** The programs of the agent on a cluster. */
export interface ClusterPrograms {
  /** The folder that contains them, an absolute path that all nodes have. */
  readonly dir: string;
  /** Node with its own loader, and the agent's program: paths within the folder. */
  readonly loader: string;
  readonly libraries: string;
  readonly node: string;
  readonly main: string;
}

export interface AgentProgramOptions {
  readonly serverId: string;
  readonly places: AgentPlaces;
  /** Where an agent of the job connects; `%NAME%` = a variable. Null: they open no connections. */
  readonly dialOut: string | null;
}

/** The command, and how the agent starts Node again. */
export function agentProgram(
  programs: ClusterPrograms,
  { serverId, places, dialOut }: AgentProgramOptions,
) {
  const inside = (path: string) => `${places.programs}/${path}`;
  const node = [
    ...[inside(programs.loader), '--library-path', inside(programs.libraries)],
    inside(programs.node),
  ];
  return {
    node: node.join(' '),
    agent: [
      ...[...node, '--max-old-space-size=256', inside(programs.main)],
      ...['--state', `${places.run}/state`, '--socket', `${places.run}/agent.sock`],
      ...['--executor', 'process', '--job-container', '--server-id', serverId],
      ...['--token-file', `${places.job}/${TOKEN_FILE}.%SLURM_PROCID%`],
      ...['--tunnel-port', '0', '--tunnel-address', '0.0.0.0'],
      ...['--tunnel-file', `${places.job}/${TUNNEL_FILE}.%SLURM_PROCID%`],
      ...(dialOut === null ? [] : ['--dial-out', dialOut]),
    ],
  };
}
