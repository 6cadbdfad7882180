import type { Metadata, Pod } from './api/objects.ts';

/**
 * What is kept of a pod of this server: most of a pod is what was ordered, and the history of its
 * fields, which nothing here reads.
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

/** What a pod without a node may wait for. */
function waitsFor({ schedulerName, volumes }: NonNullable<Pod['spec']> = {}): Pod['spec'] {
  const claims = (volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) =>
    claim ? [{ persistentVolumeClaim: claim }] : [],
  );
  return {
    ...(schedulerName === undefined ? {} : { schedulerName }),
    ...(claims.length === 0 ? {} : { volumes: claims }),
  };
}
