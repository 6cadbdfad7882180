export { type PreparedVolume, prepareVolume } from './prepare.ts';
