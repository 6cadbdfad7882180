export { EMPTY_PROFILE, mergedFleetProfile, mergedProfile } from './merge.ts';
