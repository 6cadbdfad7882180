/**
 * The place where every key of the configuration language has its effect, reviewed by hand:
 * `field-use.test.ts` compares the keys with the language and searches for each in its place. A key
 * without an effect must be refused or noted, so that no user relies on it.
 */
import { type FieldUse, type ModelUse, noted, refused } from './field-use/field-place.ts';
import { RESOURCES } from './field-use/resources.ts';
import { RUNS } from './field-use/runs.ts';
import { SERVICES } from './field-use/services.ts';

export type { FieldUse, ModelUse };

const GATEWAY = refused('server/src/http/gateways/plan.ts', 'This server cannot create');
const VOLUME = refused('server/src/effects/intents/on-volume.ts', 'This server cannot');
const PRESET = refused('cli/src/commands/apply/apply.ts', 'Cannot apply a configuration of type');
const BACKEND = noted('server/src/config/bootstrap.ts', 'cannot make machines there yet');

/** Models that are refused or noted as a whole, whatever is set in them. */
export const WHOLE: Readonly<Record<string, FieldUse>> = {
  ALBGatewayLoadBalancer: GATEWAY,
  ACMGatewayCertificate: GATEWAY,
  GCPCertificateManagerGatewayCertificate: GATEWAY,
  AWSVolumeConfiguration: VOLUME,
  GCPVolumeConfiguration: VOLUME,
  RunpodVolumeConfiguration: VOLUME,
  KubernetesVolumeConfiguration: VOLUME,
  DaytonaVolumeConfiguration: VOLUME,
  LiumVolumeConfiguration: VOLUME,
  PresetConfiguration: PRESET,
  PresetModelRepo: PRESET,
  PresetModelBase: PRESET,
  PresetPromptFile: PRESET,
  PresetAgentConfig: PRESET,
};

/** Models of backends in `config.yml`, by the end of their names. */
export const BACKEND_MODEL =
  /^(AWS|Azure|CloudRift|Crusoe|Cudo|Verda|Daytona|BaseDigitalOcean|GCP|HotAisle|JarvisLabs|Kubernetes|Lambda|Lium|OCI|Nebius|Runpod|Seeweb|TensorDock|VastAI|Vultr|Slurm|Kubeconfig).*(Creds|ConfigWithCreds|Config|OSImage)$/;
export const BACKEND_USE = BACKEND;

export const FIELD_USE: Readonly<Record<string, ModelUse>> = {
  ...RESOURCES,
  ...RUNS,
  ...SERVICES,
};
