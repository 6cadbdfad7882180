import { expect, it } from 'vitest';
import { readerText } from './event-text.ts';

const MOVE = { from: 'running', to: 'terminating', message: null, reason: null };

it.each([
  ['run.status_changed', MOVE, 'Run status: running → terminating'],
  [
    'fleet.status_changed',
    { from: 'active', to: 'terminating', message: null },
    'Fleet status: active → deleting',
  ],
  [
    'fleet.status_changed',
    { from: 'terminating', to: 'terminated', message: null },
    'Fleet status: deleting → deleted',
  ],
  [
    'job.status_changed',
    { ...MOVE, reason: 'terminated_by_user', message: 'requested by ann' },
    'Job status: running → terminating. Reason: terminated by user (requested by ann)',
  ],
  [
    'instance.health_changed',
    { from: 'healthy', to: 'failure', message: 'XID 79' },
    'Instance health: healthy → failure (XID 79)',
  ],
  ['run.submitted', { status: 'submitted' }, 'Run submitted. Status: submitted'],
  ['secret.updated', {}, 'Secret updated'],
])('an event %s is rendered from its data with the names of the UI', (action, data, text) => {
  expect(readerText({ action, data, message: 'not read' })).toBe(text);
});

it.each([
  ['of an action that this version does not know', 'run.praised', { by: 'ann' }],
  ['of a version without actions', 'legacy', { text: 'Run status changed PENDING -> RUNNING' }],
  ['of another server', null, null],
  ['whose action is the name of a built-in property', 'constructor', {}],
])('an event %s has its text of the API, whatever it looks like', (_of, action, data) => {
  const message = 'Run status changed PENDING -> RUNNING. Status: NONE';
  expect(readerText({ action, data, message })).toBe(message);
});
