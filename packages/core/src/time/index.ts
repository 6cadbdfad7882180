export { withPastTimes } from './past-times.ts';
export { unobservedUntil, withUnobserved } from './unobserved.ts';
