import type { VolumeConfiguration } from '@dstack/contract/wire';
import { nameError, type SpecError, specError } from '../run-spec/result.ts';

export type PreparedVolume = { readonly ok: true; readonly external: boolean } | SpecError;

/** Whether it registers an existing volume, or why the server refuses it. */
export function prepareVolume(configuration: VolumeConfiguration): PreparedVolume {
  const { name } = configuration;
  const wrongName = name === null ? null : nameError(name);
  if (wrongName) return wrongName;
  const { key, id } = externalId(configuration);
  if ('size' in configuration && configuration.size === null && id === null) {
    return specError(`A volume needs \`size\`, or \`${key}\` of one that is there already`);
  }
  const cleanup = configuration.auto_cleanup_duration;
  if (id !== null && cleanup !== null && cleanup >= 0) {
    return specError('An external volume is never deleted: it cannot have `auto_cleanup_duration`');
  }
  return { ok: true, external: id !== null };
}

function externalId(configuration: VolumeConfiguration) {
  return configuration.backend === 'kubernetes'
    ? { key: 'claim_name', id: configuration.claim_name }
    : { key: 'volume_id', id: configuration.volume_id };
}
