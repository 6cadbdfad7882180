import { awsKind } from './aws/aws-kind.ts';
import type { BackendKind } from './base/kind.ts';
import { crusoeKind } from './crusoe/crusoe-kind.ts';
import { amdDevCloudKind, digitalOceanKind } from './digitalocean/digitalocean-kind.ts';
import { gcpKind } from './gcp/gcp-kind.ts';
import { hotAisleKind } from './hotaisle/hotaisle-kind.ts';
import { kubernetesKind } from './kubernetes/kubernetes-kind.ts';
import { lambdaKind } from './lambda/lambda-kind.ts';
import { runpodKind } from './runpod/runpod-kind.ts';
import { slurmKind } from './slurm/slurm-kind.ts';
import { vastaiKind } from './vastai/vastai-kind.ts';
import { dataCrunchKind, verdaKind } from './verda/verda-kind.ts';
import { vultrKind } from './vultr/vultr-kind.ts';

/** Every kind of backend that creates machines. The other types that projects configure are price lists. */
export const BACKEND_KINDS: readonly BackendKind[] = [
  kubernetesKind,
  slurmKind,
  lambdaKind,
  digitalOceanKind,
  amdDevCloudKind,
  hotAisleKind,
  vultrKind,
  crusoeKind,
  verdaKind,
  dataCrunchKind,
  awsKind,
  gcpKind,
  runpodKind,
  vastaiKind,
];

/** Null: backends of this type only have a price list. */
export function backendKind(type: string): BackendKind | null {
  return BACKEND_KINDS.find((kind) => kind.type === type) ?? null;
}
