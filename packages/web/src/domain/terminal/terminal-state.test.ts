import { ConnectionError, JobSocketError } from '@dstack/client';
import { expect, it } from 'vitest';
import { endedState, failedState } from './terminal-state.ts';

const lost = new ConnectionError('http://x', 'GET /exec', null);

it('reports how the shell has ended', () => {
  expect(endedState({ status: 3, signal: null })).toMatchObject({
    text: 'The shell has exited with status 3.',
  });
  expect(endedState({ status: 143, signal: 'TERM' })).toMatchObject({
    text: 'The shell was ended by SIGTERM.',
  });
});

it.each([
  [lost, true, /connection was lost/, /new one/],
  [lost, false, /did not open/, /managers of the project/],
  [new JobSocketError('not_running', 'Run a is pulling', ''), false, /pulling/, /once the job/],
  [new JobSocketError('unreachable', 'The host is away', ''), false, /away/, /in a moment/],
  [new JobSocketError('revoked', 'Access was revoked', ''), true, /revoked/, /Ask a manager/],
])('explains %s', (error, wasOpen, what, next) => {
  const state = failedState(error, wasOpen);
  expect(state.kind === 'failed' && state.what).toMatch(what);
  expect(state.kind === 'failed' && state.next).toMatch(next);
});
