export {
  externalIdOf,
  type PreparedVolume,
  prepareVolume,
  type VolumeContext,
  type VolumePlace,
} from './prepare.ts';
