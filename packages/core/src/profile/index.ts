export { EMPTY_PROFILE, mergedFleetProfile, mergedProfile, PROFILE_KEYS } from './merge.ts';
