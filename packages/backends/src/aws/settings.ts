/** The settings that the adapter reads of a configuration. */
import type { ImageChoices } from './images.ts';
import type { NetworkChoice } from './networks.ts';

export interface AwsSettings {
  readonly regions: readonly string[];
  /** Ids of VPCs by their regions. */
  readonly vpcIds: Readonly<Record<string, string>>;
  readonly network: Omit<NetworkChoice, 'vpcId'>;
  /** Null = the default images. */
  readonly images: ImageChoices | null;
  readonly profile: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly experimental: readonly string[];
}
