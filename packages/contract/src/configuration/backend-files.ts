import * as z from 'zod';
import * as clouds from '../wire/backend-config-clouds.ts';
import * as platforms from '../wire/backend-config-platforms.ts';
import { optional, ours, string } from './scalars.ts';
import { closed, named, schemaName, tagged } from './schema-kit.ts';

/* Backend entries of the server's configuration file. They are the API's models, except that a secret may be given as the path of its file. */

export const GCPServiceAccountFileCreds = named(
  'GCPServiceAccountFileCreds',
  closed({
    type: platforms.GCPServiceAccountCreds.shape.type,
    filename: string(),
    data: optional(string()),
  }),
);
export type GCPServiceAccountFileCreds = z.infer<typeof GCPServiceAccountFileCreds>;

export const GCPBackendFileConfigWithCreds = named(
  'GCPBackendFileConfigWithCreds',
  closed({
    ...platforms.GCPBackendConfigWithCreds.shape,
    creds: tagged('type', {
      service_account: GCPServiceAccountFileCreds,
      default: platforms.GCPDefaultCreds,
    }),
  }),
);
export type GCPBackendFileConfigWithCreds = z.infer<typeof GCPBackendFileConfigWithCreds>;

export const KubeconfigFileConfig = named(
  'KubeconfigFileConfig',
  closed({ filename: string().default(''), data: optional(string()) }),
);
export type KubeconfigFileConfig = z.infer<typeof KubeconfigFileConfig>;

export const KubernetesBackendFileConfigWithCreds = named(
  'KubernetesBackendFileConfigWithCreds',
  closed({
    ...platforms.KubernetesBackendConfigWithCreds.shape,
    kubeconfig: KubeconfigFileConfig,
  }),
);
export type KubernetesBackendFileConfigWithCreds = z.infer<
  typeof KubernetesBackendFileConfigWithCreds
>;

export const NebiusServiceAccountFileCreds = named(
  'NebiusServiceAccountFileCreds',
  closed({
    type: platforms.NebiusServiceAccountCreds.shape.type,
    service_account_id: optional(string()),
    public_key_id: optional(string()),
    private_key_file: optional(string()),
    private_key_content: optional(string()),
    filename: optional(string()),
  }),
);
export type NebiusServiceAccountFileCreds = z.infer<typeof NebiusServiceAccountFileCreds>;

export const NebiusBackendFileConfigWithCreds = named(
  'NebiusBackendFileConfigWithCreds',
  closed({
    ...platforms.NebiusBackendConfigWithCreds.shape,
    creds: NebiusServiceAccountFileCreds,
  }),
);
export type NebiusBackendFileConfigWithCreds = z.infer<typeof NebiusBackendFileConfigWithCreds>;

export const SlurmPrivateKeyFileConfig = named(
  'SlurmPrivateKeyFileConfig',
  closed({ path: string().default(''), content: optional(string()) }),
);
export type SlurmPrivateKeyFileConfig = z.infer<typeof SlurmPrivateKeyFileConfig>;

/** A host like that of SSH fleets. `private_key`: the same as that of a cluster. */
export const SlurmProxyJumpFileConfig = named(
  'SlurmProxyJumpFileConfig',
  closed({
    hostname: string(),
    port: platforms.SlurmProxyJumpConfig.shape.port,
    user: string(),
    identity_file: ours(string()),
    private_key: optional(SlurmPrivateKeyFileConfig),
  }),
);
export type SlurmProxyJumpFileConfig = z.infer<typeof SlurmProxyJumpFileConfig>;

export const SlurmClusterFileConfig = named(
  'SlurmClusterFileConfig',
  closed({
    ...platforms.SlurmClusterConfigWithCreds.shape,
    private_key: SlurmPrivateKeyFileConfig,
    proxy_jump: ours(SlurmProxyJumpFileConfig),
  }),
);
export type SlurmClusterFileConfig = z.infer<typeof SlurmClusterFileConfig>;

export const SlurmBackendFileConfigWithCreds = named(
  'SlurmBackendFileConfigWithCreds',
  closed({
    ...platforms.SlurmBackendConfigWithCreds.shape,
    clusters: z.array(SlurmClusterFileConfig),
  }),
);
export type SlurmBackendFileConfigWithCreds = z.infer<typeof SlurmBackendFileConfigWithCreds>;

// These three differ from the API's models only in their names.

export const CrusoeBackendFileConfigWithCreds = named(
  'CrusoeBackendFileConfigWithCreds',
  closed(clouds.CrusoeBackendConfigWithCreds.shape),
);
export type CrusoeBackendFileConfigWithCreds = z.infer<typeof CrusoeBackendFileConfigWithCreds>;

export const HotAisleBackendFileConfigWithCreds = named(
  'HotAisleBackendFileConfigWithCreds',
  closed(clouds.HotAisleBackendConfigWithCreds.shape),
);
export type HotAisleBackendFileConfigWithCreds = z.infer<typeof HotAisleBackendFileConfigWithCreds>;

export const JarvisLabsBackendFileConfigWithCreds = named(
  'JarvisLabsBackendFileConfigWithCreds',
  closed(clouds.JarvisLabsBackendConfigWithCreds.shape),
);
export type JarvisLabsBackendFileConfigWithCreds = z.infer<
  typeof JarvisLabsBackendFileConfigWithCreds
>;

/**
 * Any backend entry of the file. `dstack` is omitted on purpose: it exists only in the database.
 */
export const BackendFileConfig = tagged('type', {
  aws: platforms.AWSBackendConfigWithCreds,
  azure: platforms.AzureBackendConfigWithCreds,
  cloudrift: clouds.CloudRiftBackendConfigWithCreds,
  crusoe: CrusoeBackendFileConfigWithCreds,
  cudo: clouds.CudoBackendConfigWithCreds,
  verda: clouds.VerdaBackendConfigWithCreds,
  datacrunch: clouds.VerdaBackendConfigWithCreds,
  daytona: clouds.DaytonaBackendConfigWithCreds,
  amddevcloud: clouds.BaseDigitalOceanBackendConfigWithCreds,
  digitalocean: clouds.BaseDigitalOceanBackendConfigWithCreds,
  gcp: GCPBackendFileConfigWithCreds,
  hotaisle: HotAisleBackendFileConfigWithCreds,
  jarvislabs: JarvisLabsBackendFileConfigWithCreds,
  kubernetes: KubernetesBackendFileConfigWithCreds,
  lambda: clouds.LambdaBackendConfigWithCreds,
  lium: clouds.LiumBackendConfigWithCreds,
  oci: platforms.OCIBackendConfigWithCreds,
  nebius: NebiusBackendFileConfigWithCreds,
  runpod: clouds.RunpodBackendConfigWithCreds,
  seeweb: clouds.SeewebBackendConfigWithCreds,
  tensordock: clouds.TensorDockBackendConfigWithCreds,
  vastai: clouds.VastAIBackendConfigWithCreds,
  vultr: clouds.VultrBackendConfigWithCreds,
  slurm: SlurmBackendFileConfigWithCreds,
});
export type BackendFileConfig = z.infer<typeof BackendFileConfig>;

/** The names of the models above as definitions of the JSON Schema for editors. */
export function nameBackendModels(): void {
  for (const [name, schema] of Object.entries({ ...clouds, ...platforms })) {
    if (schemaName(schema) === undefined) named(name, schema);
  }
}
