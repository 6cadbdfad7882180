import { expect, it } from 'vitest';
import { eventText } from './event-text.ts';

it.each([
  ['Run status changed PENDING -> SUBMITTED', 'Run status: pending → submitted'],
  [
    'Job status changed RUNNING -> TERMINATING. Termination reason: TERMINATED_BY_USER (asked for)',
    'Job status: running → terminating. Reason: terminated by user (asked for)',
  ],
  [
    'Instance health changed HEALTHY -> FAILURE (XID 79)',
    'Instance health: healthy → failure (XID 79)',
  ],
  ['Run submitted. Status: SUBMITTED', 'Run submitted. Status: submitted'],
  ['User ADA changed HOME -> WORK', 'User ADA changed HOME -> WORK'],
])('%s is shown in the words of the UI', (message, text) => {
  expect(eventText(message)).toBe(text);
});
