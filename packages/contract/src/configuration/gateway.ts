import type * as z from 'zod';
import { GatewayBackendSettings } from './backend-settings.ts';
import { BackendType } from './backend-types.ts';
import { Tags } from './profile.ts';
import { bool, int, optional, ours, string } from './scalars.ts';
import { choice, closed, named, tagged } from './schema-kit.ts';

export const ALBGatewayLoadBalancer = named(
  'ALBGatewayLoadBalancer',
  closed({ type: choice(['alb'], 'literal_error').default('alb') }),
);
export type ALBGatewayLoadBalancer = z.infer<typeof ALBGatewayLoadBalancer>;

export const LetsEncryptGatewayCertificate = named(
  'LetsEncryptGatewayCertificate',
  closed({ type: choice(['lets-encrypt'], 'literal_error').default('lets-encrypt') }),
);
export type LetsEncryptGatewayCertificate = z.infer<typeof LetsEncryptGatewayCertificate>;

export const ACMGatewayCertificate = named(
  'ACMGatewayCertificate',
  closed({ type: choice(['acm'], 'literal_error').default('acm'), arn: string() }),
);
export type ACMGatewayCertificate = z.infer<typeof ACMGatewayCertificate>;

export const GCPCertificateManagerGatewayCertificate = named(
  'GCPCertificateManagerGatewayCertificate',
  closed({ type: choice(['gcp-cm'], 'literal_error').default('gcp-cm'), name: string() }),
);
export type GCPCertificateManagerGatewayCertificate = z.infer<
  typeof GCPCertificateManagerGatewayCertificate
>;

export const GatewayLoadBalancer = tagged('type', { alb: ALBGatewayLoadBalancer });
export type GatewayLoadBalancer = z.infer<typeof GatewayLoadBalancer>;

export const GatewayCertificate = tagged('type', {
  'lets-encrypt': LetsEncryptGatewayCertificate,
  acm: ACMGatewayCertificate,
  'gcp-cm': GCPCertificateManagerGatewayCertificate,
});
export type GatewayCertificate = z.infer<typeof GatewayCertificate>;

/** `default` null on create = default if the project has none yet; on update = unchanged. */
export const GatewayConfiguration = named(
  'GatewayConfiguration',
  closed({
    type: choice(['gateway'], 'literal_error').default('gateway'),
    name: optional(string()),
    default: optional(bool()),
    backend: BackendType,
    region: string(),
    instance_type: optional(string({ min: 1 })),
    domain: optional(string()),
    public_ip: bool().default(true),
    load_balancer: optional(GatewayLoadBalancer),
    certificate: GatewayCertificate.nullable().default({ type: 'lets-encrypt' }),
    replicas: optional(int({ ge: 1 })),
    tags: optional(Tags),
    /** Null on update = unchanged. */
    forbid_new_services: ours(bool()),
    backend_settings: ours(GatewayBackendSettings),
  }),
);
export type GatewayConfiguration = z.infer<typeof GatewayConfiguration>;
