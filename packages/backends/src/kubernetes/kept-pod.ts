import type { Metadata, Pod } from './api/objects.ts';

/**
 * The part of a pod of this server that is kept in memory. The rest is mostly what was ordered and the
 * history of the pod's fields, which nothing here reads.
 */
export function keptPod({ metadata, spec, status }: Pod): Pod {
  const { managedFields: _, ...kept } = metadata as Metadata & { readonly managedFields?: unknown };
  const { nodeName, subdomain } = spec ?? {};
  const placed = nodeName === undefined ? waitsFor(spec) : { nodeName };
  const named = subdomain === undefined ? {} : { subdomain };
  return {
    metadata: kept,
    spec: { ...placed, ...named },
    ...(status === undefined ? {} : { status }),
  };
}

/** The fields that name what a pod without a node may wait for: its scheduler and its claims. */
function waitsFor({ schedulerName, volumes }: NonNullable<Pod['spec']> = {}): Pod['spec'] {
  const claims = (volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) =>
    claim ? [{ persistentVolumeClaim: claim }] : [],
  );
  return {
    ...(schedulerName === undefined ? {} : { schedulerName }),
    ...(claims.length === 0 ? {} : { volumes: claims }),
  };
}
