/**
 * When the agent of a pod listens, as its log reports it: each attempt to reach a port that has no listener yet
 * costs the server, the API server and the node more than the log does.
 */
import type { IncomingMessage } from 'node:http';
import { TUNNEL_LISTENING } from '@dstack/contract/agent';
import { ApiError, FORBIDDEN } from './api/client.ts';
import type { Cluster } from './cluster.ts';
import { JOB_CONTAINER } from './pod-spec.ts';
import { isStarted, startOf } from './pod-state.ts';

/** The longest start of an agent on a node that is busy with many of them. */
const LIMIT_MS = 60_000;
/** The report is among the first lines of an agent. */
const MAX_BYTES = 64 * 1024;

/**
 * Each call resolves with true once the agent has reported that it listens, or with false if the log cannot
 * report it now.
 */
export function agentReport(cluster: Cluster, pod: string): () => Promise<boolean> {
  let isForbidden = false;
  return async () => {
    const known = isForbidden ? null : await cluster.pod(pod);
    // The API refuses the log until the status of the pod includes the start.
    if (known === null || !isStarted(known)) return false;
    // After a restart of the server, the logs of all pods would show nothing new.
    const now = cluster.client.clock.now();
    if (now - (startOf(known) ?? now) > LIMIT_MS) return true;
    try {
      return await reports(cluster, pod);
    } catch (error) {
      isForbidden = error instanceof ApiError && error.status === FORBIDDEN;
      return false;
    }
  };
}

async function reports(cluster: Cluster, pod: string): Promise<boolean> {
  const path = `${cluster.path('pods', pod)}/log`;
  const query = { container: JOB_CONTAINER, follow: true, limitBytes: MAX_BYTES };
  const log = await cluster.client.stream({ path, query }, AbortSignal.timeout(LIMIT_MS));
  try {
    return await hasReport(log);
  } finally {
    log.destroy();
  }
}

async function hasReport(log: IncomingMessage): Promise<boolean> {
  let text = '';
  for await (const part of log.setEncoding('utf8')) {
    text += part;
    if (text.includes(`"event":"${TUNNEL_LISTENING}"`)) return true;
  }
  return false;
}
