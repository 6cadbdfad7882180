export { firesOf, nextFire } from './next-fire.ts';
