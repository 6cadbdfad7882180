import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ClusterLogins } from './logins.ts';
import type { SlurmClusterConfig } from './partitions.ts';

const CLUSTER: SlurmClusterConfig = {
  ...{ name: 'hpc', hostname: 'login.hpc', port: null, user: 'dev' },
  ...{ gpu_partitions: null, cpu_partitions: null },
  private_key: { path: '', content: 'key' },
};

describe('the login of a cluster that fails', () => {
  let now: number;
  let attempts: number;
  let failure: Error | null;
  let answered: (() => void)[] | null;
  let logins: ClusterLogins;
  beforeEach(() => {
    now = 0;
    attempts = 0;
    failure = null;
    answered = null;
    const open = async () => {
      attempts++;
      await new Promise<void>((answer) => (answered ? answered.push(answer) : answer()));
      if (failure) throw failure;
      return { isOpen: true, close: () => {} } as never;
    };
    const facts = { get: async () => null, setOnce: async (_: string, value: string) => value };
    logins = new ClusterLogins({ facts, ssh: { open } }, () => now);
  });
  const outcome = () =>
    logins.connect(CLUSTER).then(
      () => 'open',
      (error: Error) => error.message,
    );

  it('is tried once a second, for all who need it, and works as soon as it can', async () => {
    failure = new Error('login.hpc:22 cannot be reached');
    for (now = 0; now < 10_000; now += 100) {
      const all = await Promise.all([outcome(), outcome(), outcome()]);
      expect(all).toEqual(Array(3).fill(expect.stringMatching(/cannot be reached/)));
    }
    expect(attempts).toBe(10);
    failure = null;
    expect(await outcome()).toBe('open');
  });

  it('is waited for no longer than two seconds once one has failed, and used when it is open', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    failure = new Error('login.hpc:22 cannot be reached');
    expect(await outcome()).toMatch(/cannot be reached/);
    now += 5000;
    const answers: (() => void)[] = [];
    answered = answers;
    const all = Promise.all([outcome(), outcome()]);
    await vi.advanceTimersByTimeAsync(2000);
    expect(await all).toEqual(Array(2).fill(expect.stringMatching(/cannot be reached/)));
    failure = null;
    const last = outcome();
    for (const answer of answers) answer();
    expect(await last).toBe('open');
    expect(attempts).toBe(2);
  });

  it('is tried rarely after the login node has refused the user', async () => {
    failure = new Error('login.hpc refused the login', {
      cause: { level: 'client-authentication' },
    });
    for (now = 0; now < 60_000; now += 500) expect(await outcome()).toMatch(/refused the login/);
    expect(attempts).toBe(3);
  });
});
