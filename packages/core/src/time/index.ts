export { instantText } from './instant-text.ts';
export { withPastTimes } from './past-times.ts';
export { unobservedUntil, withUnobserved } from './unobserved.ts';
