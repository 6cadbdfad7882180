/** Calls for the objects of gateways. */
import { ApiError, CONFLICT } from '../api/client.ts';
import type { KubeObject } from '../api/objects.ts';
import type { Cluster } from '../cluster.ts';

/** Null: an earlier attempt, or another replica, has created it. */
export async function createOnce(
  cluster: Pick<Cluster, 'client'>,
  path: string,
  body: object,
): Promise<KubeObject | null> {
  try {
    return await cluster.client.call<KubeObject>({ method: 'POST', path, body });
  } catch (error) {
    if (error instanceof ApiError && error.status === CONFLICT) return null;
    throw error;
  }
}

export function setPath({ namespace }: Cluster, name?: string): string {
  const all = `/apis/apps/v1/namespaces/${namespace}/statefulsets`;
  return name === undefined ? all : `${all}/${name}`;
}
