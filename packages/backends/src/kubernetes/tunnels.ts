/** The way to the agent of a pod: a port that the API server forwards. */
import type { Duplex } from 'node:stream';
import type { TunnelTarget } from '../base/agent-tunnels.ts';
import { agentReport } from './agent-report.ts';
import { ChannelStream, opened } from './api/channel-socket.ts';
import type { Cluster } from './cluster.ts';
import { TUNNEL_PORT } from './pod-agent.ts';

const PROTOCOL = 'v4.channel.k8s.io';
const DATA = 0;
const ERROR = 1;
/** Each channel begins with the port, in two bytes. */
const PORT_BYTES = 2;

export function podTunnel(cluster: Cluster, pod: string): TunnelTarget {
  return {
    key: tunnelKey(cluster, pod),
    what: `pod ${pod}`,
    open: () => forwardedPort(cluster, pod),
  };
}

/** Like `podTunnel`, for the pod of a job: its log reports when the agent listens. */
export function jobTunnel(cluster: Cluster, pod: string): TunnelTarget {
  return { ...podTunnel(cluster, pod), listens: agentReport(cluster, pod) };
}

export function tunnelKey({ client, namespace }: Cluster, pod: string): string {
  return `${client.access.context}/${namespace}/${pod}`;
}

async function forwardedPort({ client, namespace }: Cluster, pod: string): Promise<Duplex> {
  const what = `port-forward to pod ${pod}`;
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/portforward`;
  const socket = await client.socket(path, [['ports', String(TUNNEL_PORT)]], [PROTOCOL]);
  // Before the WebSocket is open: its first messages may come with the answer that opens it.
  const stream = new ChannelStream({ socket, what, data: DATA, error: ERROR, skip: PORT_BYTES });
  stream.on('error', () => {});
  await opened(socket, what);
  return stream;
}
