export { withPastTimes } from './past-times.ts';
