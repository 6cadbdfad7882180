/** Names the place where a key of the configuration language has its effect. */

/** `where`: a file or folder below `packages/` that contains `text`, by default the name of the key. */
export interface FieldUse {
  /** `used`: it has an effect there; `refused`: an error; `noted`: a message that it has no effect. */
  readonly how: 'used' | 'refused' | 'noted';
  readonly where: string;
  readonly text?: string;
}

export type ModelUse = Readonly<Record<string, FieldUse>>;

export const used = (where: string, text?: string): FieldUse => ({
  how: 'used',
  where,
  ...(text === undefined ? {} : { text }),
});
export const noted = (where: string, text: string): FieldUse => ({ how: 'noted', where, text });
export const refused = (where: string, text: string): FieldUse => ({ how: 'refused', where, text });

export const WARNINGS = 'contract/src/configuration/warnings.ts';
export const JOB_SPEC = 'core/src/job-spec';
export const OFFERS = 'core/src/offers';
export const FLEET_SPEC = 'core/src/fleet-spec';
export const RECONCILE = 'core/src/reconcile';
export const POD = 'backends/src/kubernetes/pod-spec.ts';
export const CLUSTER_GATEWAY = 'backends/src/kubernetes/gateways/gateway-objects.ts';
export const SERVICE = 'server/src/http/runs/service-spec.ts';

/** Which model is read. */
export const type = used('contract/src/configuration/schema-kit.ts', 'tagged');
