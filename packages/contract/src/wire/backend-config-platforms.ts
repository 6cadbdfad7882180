/** Backend configurations with credentials: hyperscalers, Kubernetes, Slurm. */
import * as z from 'zod';
import { float } from '../configuration/scalars.ts';
import { tagged } from '../configuration/schema-kit.ts';
import { Flag, Integer, literal, model, nullable, Text, text } from './scalars.ts';

export const AWSOSImage = model({
  name: Text,
  owner: text({ pattern: /^(\d{12}|self)$/ }).default('self'),
  user: Text,
});
export type AWSOSImage = z.infer<typeof AWSOSImage>;

export const AWSOSImageConfig = model({
  cpu: nullable(AWSOSImage),
  nvidia: nullable(AWSOSImage),
});
export type AWSOSImageConfig = z.infer<typeof AWSOSImageConfig>;

export const AWSAccessKeyCreds = model({
  type: literal('access_key').default('access_key'),
  access_key: Text,
  secret_key: Text,
});
export type AWSAccessKeyCreds = z.infer<typeof AWSAccessKeyCreds>;

export const AWSDefaultCreds = model({
  type: literal('default').default('default'),
});
export type AWSDefaultCreds = z.infer<typeof AWSDefaultCreds>;

export const AWSBackendConfigWithCreds = model({
  type: literal('aws').default('aws'),
  regions: nullable(z.array(Text)),
  vpc_name: nullable(Text),
  vpc_ids: nullable(z.record(z.string(), Text)),
  default_vpcs: nullable(Flag),
  public_ips: nullable(Flag),
  iam_instance_profile: nullable(Text),
  tags: nullable(z.record(z.string(), Text)),
  os_images: nullable(AWSOSImageConfig),
  experimental_instance_types: nullable(z.array(Text)),
  creds: tagged('type', { access_key: AWSAccessKeyCreds, default: AWSDefaultCreds }),
});
export type AWSBackendConfigWithCreds = z.infer<typeof AWSBackendConfigWithCreds>;

export const AzureClientCreds = model({
  type: literal('client').default('client'),
  client_id: Text,
  client_secret: Text,
  tenant_id: nullable(Text),
});
export type AzureClientCreds = z.infer<typeof AzureClientCreds>;

export const AzureDefaultCreds = model({
  type: literal('default').default('default'),
});
export type AzureDefaultCreds = z.infer<typeof AzureDefaultCreds>;

export const AzureBackendConfigWithCreds = model({
  type: literal('azure').default('azure'),
  tenant_id: Text,
  subscription_id: Text,
  resource_group: nullable(Text),
  regions: nullable(z.array(Text)),
  vpc_ids: nullable(z.record(z.string(), Text)),
  subnet_ids: nullable(z.record(z.string(), Text)),
  public_ips: nullable(Flag),
  vm_managed_identity: nullable(Text),
  tags: nullable(z.record(z.string(), Text)),
  creds: tagged('type', { client: AzureClientCreds, default: AzureDefaultCreds }),
});
export type AzureBackendConfigWithCreds = z.infer<typeof AzureBackendConfigWithCreds>;

export const GCPDefaultCreds = model({
  type: literal('default').default('default'),
});
export type GCPDefaultCreds = z.infer<typeof GCPDefaultCreds>;

export const GCPServiceAccountCreds = model({
  type: literal('service_account').default('service_account'),
  filename: nullable(Text),
  data: Text,
});
export type GCPServiceAccountCreds = z.infer<typeof GCPServiceAccountCreds>;

export const GCPBackendConfigWithCreds = model({
  type: literal('gcp').default('gcp'),
  project_id: Text,
  regions: nullable(z.array(Text)),
  tpu: nullable(Flag),
  vpc_name: nullable(Text),
  subnetworks: nullable(z.record(z.string(), Text)),
  extra_vpcs: nullable(z.array(Text)),
  roce_vpcs: nullable(z.array(Text).max(1)),
  vpc_project_id: nullable(Text),
  public_ips: nullable(Flag),
  nat_check: nullable(Flag),
  vm_service_account: nullable(Text),
  tags: nullable(z.record(z.string(), Text)),
  preview_features: nullable(z.array(literal('g4')).max(1)),
  creds: tagged('type', { default: GCPDefaultCreds, service_account: GCPServiceAccountCreds }),
});
export type GCPBackendConfigWithCreds = z.infer<typeof GCPBackendConfigWithCreds>;

export const KubernetesProxyJumpConfig = model({
  hostname: nullable(Text),
  port: nullable(Integer),
});
export type KubernetesProxyJumpConfig = z.infer<typeof KubernetesProxyJumpConfig>;

export const KubernetesContextConfig = model({
  name: Text,
  proxy_jump: nullable(KubernetesProxyJumpConfig),
});
export type KubernetesContextConfig = z.infer<typeof KubernetesContextConfig>;

export const KubeconfigConfig = model({
  filename: Text.default(''),
  data: Text,
});
export type KubeconfigConfig = z.infer<typeof KubeconfigConfig>;

/** USD per hour. Larger ones are mistakes. */
const Rate = float({ ge: 0, le: 100_000 });

/** Ours: what the parts of machines cost their owner: GPUs by name, each CPU, each GB of memory. */
export const PriceRates = model({
  gpu: nullable(z.record(z.string(), Rate)),
  cpu: nullable(Rate),
  memory: nullable(Rate),
});
export type PriceRates = z.infer<typeof PriceRates>;

export const KubernetesBackendConfigWithCreds = model({
  type: literal('kubernetes').default('kubernetes'),
  contexts: nullable(z.array(z.union([KubernetesContextConfig, Text]))),
  proxy_jump: nullable(KubernetesProxyJumpConfig),
  namespace: nullable(Text),
  price: PriceRates.nullable().optional(),
  kubeconfig: KubeconfigConfig,
});
export type KubernetesBackendConfigWithCreds = z.infer<typeof KubernetesBackendConfigWithCreds>;

export const OCIClientCreds = model({
  type: literal('client').default('client'),
  user: Text,
  tenancy: Text,
  key_file: nullable(Text),
  key_content: nullable(Text),
  pass_phrase: nullable(Text),
  fingerprint: Text,
  region: Text,
});
export type OCIClientCreds = z.infer<typeof OCIClientCreds>;

export const OCIDefaultCreds = model({
  type: literal('default').default('default'),
  file: Text.default('~/.oci/config'),
  profile: Text.default('DEFAULT'),
});
export type OCIDefaultCreds = z.infer<typeof OCIDefaultCreds>;

export const OCIBackendConfigWithCreds = model({
  type: literal('oci').default('oci'),
  regions: nullable(z.array(Text)),
  compartment_id: nullable(Text),
  experimental_instance_types: nullable(z.array(Text)),
  creds: tagged('type', { client: OCIClientCreds, default: OCIDefaultCreds }),
});
export type OCIBackendConfigWithCreds = z.infer<typeof OCIBackendConfigWithCreds>;

export const NebiusServiceAccountCreds = model({
  type: literal('service_account').default('service_account'),
  service_account_id: Text,
  public_key_id: Text,
  private_key_file: nullable(Text),
  private_key_content: Text,
  filename: nullable(Text),
});
export type NebiusServiceAccountCreds = z.infer<typeof NebiusServiceAccountCreds>;

export const NebiusBackendConfigWithCreds = model({
  type: literal('nebius').default('nebius'),
  projects: nullable(z.array(Text)),
  regions: nullable(z.array(Text)),
  fabrics: nullable(z.array(Text)),
  tags: nullable(z.record(z.string(), Text)),
  creds: NebiusServiceAccountCreds,
});
export type NebiusBackendConfigWithCreds = z.infer<typeof NebiusBackendConfigWithCreds>;

export const SlurmGPUPartitionConfig = model({
  gpu: Text,
  partitions: z.array(Text),
});
export type SlurmGPUPartitionConfig = z.infer<typeof SlurmGPUPartitionConfig>;

export const SlurmPrivateKeyConfig = model({
  path: Text.default(''),
  content: Text,
});
export type SlurmPrivateKeyConfig = z.infer<typeof SlurmPrivateKeyConfig>;

/** Ours: a host between the server and the login node. Without a key, it takes that of the login node. */
export const SlurmProxyJumpConfig = model({
  hostname: Text,
  port: nullable(Integer),
  user: Text,
  private_key: nullable(SlurmPrivateKeyConfig),
});
export type SlurmProxyJumpConfig = z.infer<typeof SlurmProxyJumpConfig>;

export const SlurmClusterConfigWithCreds = model({
  name: Text,
  gpu_partitions: nullable(z.array(SlurmGPUPartitionConfig)),
  cpu_partitions: nullable(z.array(Text)),
  hostname: Text,
  port: nullable(Integer),
  user: Text,
  private_key: SlurmPrivateKeyConfig,
  proxy_jump: SlurmProxyJumpConfig.nullable().optional(),
});
export type SlurmClusterConfigWithCreds = z.infer<typeof SlurmClusterConfigWithCreds>;

export const SlurmBackendConfigWithCreds = model({
  type: literal('slurm').default('slurm'),
  clusters: z.array(SlurmClusterConfigWithCreds),
  price: PriceRates.nullable().optional(),
});
export type SlurmBackendConfigWithCreds = z.infer<typeof SlurmBackendConfigWithCreds>;

export const DstackBackendConfig = model({
  type: literal('dstack').default('dstack'),
  base_backends: z.array(Text),
});
export type DstackBackendConfig = z.infer<typeof DstackBackendConfig>;
