import type { RunStatus } from '@dstack/contract/status';
import { expect, it } from 'vitest';
import { type RunCondition, type UpstreamState, upstreamState } from './dependency-look.ts';

it.each<[RunStatus, RunCondition, UpstreamState]>([
  ['running', 'success', 'open'],
  ['terminating', 'end', 'open'],
  ['done', 'success', 'met'],
  ['failed', 'success', 'unmet'],
  ['terminated', 'success', 'unmet'],
  ['terminated', 'end', 'met'],
  ['done', 'failure', 'unmet'],
  ['failed', 'failure', 'met'],
])('a run that is %s is, for the condition %s, %s', (status, on, state) => {
  expect(upstreamState(status, on)).toBe(state);
});
