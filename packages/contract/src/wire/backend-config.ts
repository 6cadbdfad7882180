/** Any backend configuration with its credentials, distinguished by `type`. */
import * as z from 'zod';
import { delegate, reportIssue } from '../configuration/issue.ts';
import { describeJson } from '../configuration/json-form.ts';
import { isMap, type Reader } from '../configuration/schema-kit.ts';
import { nearest } from '../grammar/nearest.ts';
import { Problem, quote } from '../grammar/problem.ts';
import * as clouds from './backend-config-clouds.ts';
import * as platforms from './backend-config-platforms.ts';

const BY_TYPE = {
  aws: platforms.AWSBackendConfigWithCreds,
  azure: platforms.AzureBackendConfigWithCreds,
  cloudrift: clouds.CloudRiftBackendConfigWithCreds,
  crusoe: clouds.CrusoeBackendConfigWithCreds,
  cudo: clouds.CudoBackendConfigWithCreds,
  verda: clouds.VerdaBackendConfigWithCreds,
  datacrunch: clouds.VerdaBackendConfigWithCreds,
  daytona: clouds.DaytonaBackendConfigWithCreds,
  amddevcloud: clouds.BaseDigitalOceanBackendConfigWithCreds,
  digitalocean: clouds.BaseDigitalOceanBackendConfigWithCreds,
  gcp: platforms.GCPBackendConfigWithCreds,
  hotaisle: clouds.HotAisleBackendConfigWithCreds,
  jarvislabs: clouds.JarvisLabsBackendConfigWithCreds,
  kubernetes: platforms.KubernetesBackendConfigWithCreds,
  lambda: clouds.LambdaBackendConfigWithCreds,
  lium: clouds.LiumBackendConfigWithCreds,
  oci: platforms.OCIBackendConfigWithCreds,
  nebius: platforms.NebiusBackendConfigWithCreds,
  runpod: clouds.RunpodBackendConfigWithCreds,
  seeweb: clouds.SeewebBackendConfigWithCreds,
  tensordock: clouds.TensorDockBackendConfigWithCreds,
  vastai: clouds.VastAIBackendConfigWithCreds,
  vultr: clouds.VultrBackendConfigWithCreds,
  slurm: platforms.SlurmBackendConfigWithCreds,
  dstack: platforms.DstackBackendConfig,
} as const;

type Configs = { [Type in keyof typeof BY_TYPE]: z.output<(typeof BY_TYPE)[Type]> };
export type BackendConfigWithCreds = Configs[keyof Configs];

/** An unknown `type` is a `literal_error` here, as in dstack 0.22.5. */
export const BackendConfigWithCreds: Reader<BackendConfigWithCreds> = describeJson(
  z.unknown().transform((value, ctx): BackendConfigWithCreds => {
    if (!isMap(value)) {
      const problem = new Problem(`must be a map with the key 'type', got ${quote(value)}`, {
        type: 'model_attributes_type',
      });
      reportIssue(ctx, value, problem);
      return z.NEVER;
    }
    const { type } = value;
    if (typeof type === 'string' && Object.hasOwn(BY_TYPE, type)) {
      return delegate(ctx, BY_TYPE[type as keyof typeof BY_TYPE] as z.ZodType, value) as never;
    }
    const types = Object.keys(BY_TYPE);
    const suggestion = typeof type === 'string' ? nearest(type, types) : undefined;
    const problem = new Problem(`must be one of ${types.join(', ')}, got ${quote(type)}`, {
      type: 'literal_error',
      ctx: { expected: types.map((name) => `'${name}'`).join(', ') },
      ...(suggestion === undefined ? {} : { suggestion }),
    });
    reportIssue(ctx, value, problem, ['type']);
    return z.NEVER;
  }),
  (ref) => ({ anyOf: [...new Set(Object.values(BY_TYPE))].map((config) => ref(config)) }),
);
