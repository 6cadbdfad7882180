/**
 * Containers of jobs, in which the agent connects to the server: the provider offers no way in. The image of the
 * job starts the launcher, which fetches the agent.
 */
import { DIAL_OUT_PATH } from '@dstack/contract/agent';
import { agentToken } from '../agent-token.ts';
import { AgentTunnels } from '../agent-tunnels.ts';
import { NoAnswerError, RefusedOrderError, SkipOfferError } from '../errors.ts';
import type { ContainerOrder, InstanceOrder } from '../instance-port.ts';
import type { AgentDialIns, AgentDownload } from '../kind.ts';
import type { VmContainer } from '../rest-vm/vm-cloud.ts';
import type { VmWay } from '../rest-vm/vm-way.ts';
import { containerAgent } from './agent-name.ts';
import { CONTAINER_LAUNCHER, LAUNCHER_VARIABLES } from './launcher.ts';

export interface DialWayOptions {
  /** Name of the provider for people. */
  readonly title: string;
  /** The agents' tokens are derived from it. */
  readonly secret: string;
  /** Where agents connect: `wss:`, without a slash at its end. */
  readonly dialUrl: string;
  /** Where containers fetch the agent: `https:` or `http:`, without a slash at its end. */
  readonly fetchUrl: string;
  readonly download: () => Promise<AgentDownload>;
  readonly dialIns: AgentDialIns;
}

/** An agent connects once it has been fetched, and again within seconds after a connection has ended. */
const DIALLED_MS = 5000;

/** Users reach the job by the server alone. */
const DIRECT = { dockerized: false, entry_only: true } as const;

export function dialWay(options: DialWayOptions): VmWay {
  const { title, secret, dialIns } = options;
  const tunnels = new AgentTunnels();
  return {
    known: DIRECT,
    ordered: async (order) => ({ userData: '', container: await containerOf(options, order) }),
    handleData: (key) => (key === null ? null : containerAgent(key)),
    reached: ({ id, privateAddress: internal_ip }, { data: agent }) => {
      if (agent === null) return null;
      const token = agentToken(secret, agent);
      return {
        data: { ...DIRECT, hostname: id, internal_ip },
        access: { kind: 'backend', token },
      };
    },
    dial: async ({ id, data }, token) => {
      const open = async () => {
        const stream = data === null ? null : await dialIns.take(data, DIALLED_MS);
        if (stream) return stream;
        throw new NoAnswerError(`${title}: the agent of ${id} has not connected to this server`);
      };
      return await tunnels.dial({ key: id, what: `${title} ${id}`, open }, token);
    },
    watch: (onReachable) => dialIns.watch(onReachable),
    released: (id) => tunnels.drop(id),
    close: () => tunnels.close(),
  };
}

/** For servers that containers cannot reach. `problem`: the reason, and what to do. */
export function noWay(problem: string): VmWay {
  return {
    ...{ problem, known: DIRECT },
    ordered: async () => {
      throw new RefusedOrderError(problem);
    },
    handleData: (key) => (key === null ? null : containerAgent(key)),
    reached: () => null,
  };
}

async function containerOf(
  { title, secret, dialUrl, fetchUrl, download }: DialWayOptions,
  { key, owner, container = null, volumes }: InstanceOrder,
): Promise<VmContainer> {
  if (container === null) throw new SkipOfferError(`${title} needs a job to run`);
  const { user, image, registryAuth } = container;
  // Its containers start as root, and the agent only looks up names in the image.
  if (user?.uid) {
    throw new RefusedOrderError(
      `${title} starts containers as root: remove \`user\`, or set it to a name that the image has`,
    );
  }
  const agent = containerAgent(key);
  const { path, sha256 } = await download();
  return {
    ...{ image, registryAuth },
    command: [
      '/bin/sh',
      '-c',
      CONTAINER_LAUNCHER,
      'sh',
      `${dialUrl}${DIAL_OUT_PATH}${agent}`,
      owner.server,
    ],
    environment: {
      [LAUNCHER_VARIABLES.url]: `${fetchUrl}${path}`,
      [LAUNCHER_VARIABLES.sha256]: sha256,
      [LAUNCHER_VARIABLES.token]: agentToken(secret, agent),
    },
    volumes: volumesOf(container, volumes),
  };
}

/** The named mounts, in the order of the volumes. */
function volumesOf({ mounts }: ContainerOrder, volumes: InstanceOrder['volumes']) {
  const named = mounts.filter(({ instancePath }) => instancePath === null);
  return volumes.map(({ id }, index) => ({ id, path: named[index]?.path ?? '' }));
}
