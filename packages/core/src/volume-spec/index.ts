export {
  externalIdOf,
  type PreparedVolume,
  prepareVolume,
  type VolumeContext,
  type VolumeLocation,
} from './prepare.ts';
