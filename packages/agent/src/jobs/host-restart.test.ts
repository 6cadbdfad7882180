import { describe, expect, it } from 'vitest';
import { endByRestart } from './host-restart.ts';

const exit = (status: number | null) => ({ status, reason: null, message: null });

describe('a job whose host went down', () => {
  const lost = {
    status: null,
    reason: 'instance_unreachable',
    message: 'The host was restarted while the job ran',
  };

  it.each([255, 137, 143, null])('has no exit status of its own if only %s is left', (status) => {
    expect(endByRestart(exit(status), 'one', 'two')).toEqual(lost);
  });

  it.each([0, 3])('keeps the status %s, which the command gave before', (status) => {
    expect(endByRestart(exit(status), 'one', 'two')).toEqual(exit(status));
  });

  it('differs from one that was killed without a restart', () => {
    expect(endByRestart(exit(137), 'one', 'one')).toEqual(exit(137));
    expect(endByRestart(exit(137), null, 'one')).toEqual(exit(137));
  });
});
