/** Backend configurations with credentials: GPU clouds and marketplaces. */
import * as z from 'zod';
import { choiceOf, Flag, literal, model, nullable, Text, text } from './scalars.ts';

export const CloudRiftAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: Text,
});
export type CloudRiftAPIKeyCreds = z.infer<typeof CloudRiftAPIKeyCreds>;

export const CloudRiftBackendConfigWithCreds = model({
  type: literal('cloudrift').default('cloudrift'),
  regions: nullable(z.array(Text)),
  creds: CloudRiftAPIKeyCreds,
});
export type CloudRiftBackendConfigWithCreds = z.infer<typeof CloudRiftBackendConfigWithCreds>;

export const CrusoeAccessKeyCreds = model({
  type: literal('access_key').default('access_key'),
  access_key: Text,
  secret_key: Text,
});
export type CrusoeAccessKeyCreds = z.infer<typeof CrusoeAccessKeyCreds>;

export const CrusoeBackendConfigWithCreds = model({
  type: literal('crusoe').default('crusoe'),
  project_id: Text,
  regions: nullable(z.array(Text)),
  creds: CrusoeAccessKeyCreds,
});
export type CrusoeBackendConfigWithCreds = z.infer<typeof CrusoeBackendConfigWithCreds>;

export const CudoAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: Text,
});
export type CudoAPIKeyCreds = z.infer<typeof CudoAPIKeyCreds>;

export const CudoBackendConfigWithCreds = model({
  type: literal('cudo').default('cudo'),
  regions: nullable(z.array(Text)),
  project_id: Text,
  creds: CudoAPIKeyCreds,
});
export type CudoBackendConfigWithCreds = z.infer<typeof CudoBackendConfigWithCreds>;

export const VerdaAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  client_id: Text,
  client_secret: Text,
});
export type VerdaAPIKeyCreds = z.infer<typeof VerdaAPIKeyCreds>;

export const VerdaBackendConfigWithCreds = model({
  type: choiceOf(['verda', 'datacrunch']),
  regions: nullable(z.array(Text)),
  creds: VerdaAPIKeyCreds,
});
export type VerdaBackendConfigWithCreds = z.infer<typeof VerdaBackendConfigWithCreds>;

export const DaytonaAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: text({ min: 1 }),
});
export type DaytonaAPIKeyCreds = z.infer<typeof DaytonaAPIKeyCreds>;

export const DaytonaBackendConfigWithCreds = model({
  type: literal('daytona').default('daytona'),
  regions: nullable(z.array(Text)),
  creds: DaytonaAPIKeyCreds,
});
export type DaytonaBackendConfigWithCreds = z.infer<typeof DaytonaBackendConfigWithCreds>;

export const BaseDigitalOceanAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: Text,
});
export type BaseDigitalOceanAPIKeyCreds = z.infer<typeof BaseDigitalOceanAPIKeyCreds>;

export const BaseDigitalOceanBackendConfigWithCreds = model({
  type: choiceOf(['amddevcloud', 'digitalocean']),
  project_name: nullable(Text),
  regions: nullable(z.array(Text)),
  creds: BaseDigitalOceanAPIKeyCreds,
});
export type BaseDigitalOceanBackendConfigWithCreds = z.infer<
  typeof BaseDigitalOceanBackendConfigWithCreds
>;

export const HotAisleAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: Text,
});
export type HotAisleAPIKeyCreds = z.infer<typeof HotAisleAPIKeyCreds>;

export const HotAisleBackendConfigWithCreds = model({
  type: literal('hotaisle').default('hotaisle'),
  team_handle: Text,
  regions: nullable(z.array(Text)),
  bare_metal: nullable(Flag),
  creds: HotAisleAPIKeyCreds,
});
export type HotAisleBackendConfigWithCreds = z.infer<typeof HotAisleBackendConfigWithCreds>;

export const JarvisLabsAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: Text,
});
export type JarvisLabsAPIKeyCreds = z.infer<typeof JarvisLabsAPIKeyCreds>;

export const JarvisLabsBackendConfigWithCreds = model({
  type: literal('jarvislabs').default('jarvislabs'),
  regions: nullable(z.array(Text)),
  creds: JarvisLabsAPIKeyCreds,
});
export type JarvisLabsBackendConfigWithCreds = z.infer<typeof JarvisLabsBackendConfigWithCreds>;

export const LambdaAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: Text,
});
export type LambdaAPIKeyCreds = z.infer<typeof LambdaAPIKeyCreds>;

export const LambdaBackendConfigWithCreds = model({
  type: literal('lambda').default('lambda'),
  regions: nullable(z.array(Text)),
  creds: LambdaAPIKeyCreds,
});
export type LambdaBackendConfigWithCreds = z.infer<typeof LambdaBackendConfigWithCreds>;

export const LiumAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: text({ min: 1 }),
});
export type LiumAPIKeyCreds = z.infer<typeof LiumAPIKeyCreds>;

export const LiumBackendConfigWithCreds = model({
  type: literal('lium').default('lium'),
  regions: nullable(z.array(Text)),
  creds: LiumAPIKeyCreds,
});
export type LiumBackendConfigWithCreds = z.infer<typeof LiumBackendConfigWithCreds>;

export const RunpodAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: Text,
});
export type RunpodAPIKeyCreds = z.infer<typeof RunpodAPIKeyCreds>;

export const RunpodBackendConfigWithCreds = model({
  type: literal('runpod').default('runpod'),
  regions: nullable(z.array(Text)),
  community_cloud: nullable(Flag),
  creds: RunpodAPIKeyCreds,
});
export type RunpodBackendConfigWithCreds = z.infer<typeof RunpodBackendConfigWithCreds>;

export const SeewebAPITokenCreds = model({
  type: literal('api_token').default('api_token'),
  api_token: Text,
});
export type SeewebAPITokenCreds = z.infer<typeof SeewebAPITokenCreds>;

export const SeewebBackendConfigWithCreds = model({
  type: literal('seeweb').default('seeweb'),
  regions: nullable(z.array(Text)),
  creds: SeewebAPITokenCreds,
});
export type SeewebBackendConfigWithCreds = z.infer<typeof SeewebBackendConfigWithCreds>;

export const TensorDockAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: Text,
  api_token: Text,
});
export type TensorDockAPIKeyCreds = z.infer<typeof TensorDockAPIKeyCreds>;

export const TensorDockBackendConfigWithCreds = model({
  type: literal('tensordock').default('tensordock'),
  regions: nullable(z.array(Text)),
  creds: TensorDockAPIKeyCreds,
});
export type TensorDockBackendConfigWithCreds = z.infer<typeof TensorDockBackendConfigWithCreds>;

export const VastAIAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: Text,
});
export type VastAIAPIKeyCreds = z.infer<typeof VastAIAPIKeyCreds>;

export const VastAIBackendConfigWithCreds = model({
  type: literal('vastai').default('vastai'),
  regions: nullable(z.array(Text)),
  community_cloud: nullable(Flag),
  creds: VastAIAPIKeyCreds,
});
export type VastAIBackendConfigWithCreds = z.infer<typeof VastAIBackendConfigWithCreds>;

export const VultrAPIKeyCreds = model({
  type: literal('api_key').default('api_key'),
  api_key: Text,
});
export type VultrAPIKeyCreds = z.infer<typeof VultrAPIKeyCreds>;

export const VultrBackendConfigWithCreds = model({
  type: literal('vultr').default('vultr'),
  regions: nullable(z.array(Text)),
  creds: VultrAPIKeyCreds,
});
export type VultrBackendConfigWithCreds = z.infer<typeof VultrBackendConfigWithCreds>;
