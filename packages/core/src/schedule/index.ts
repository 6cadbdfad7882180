export { nextFire } from './next-fire.ts';
