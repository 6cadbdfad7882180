import type { HostRecord, JobRecord } from '@dstack/core';
import { expect, test } from 'vitest';
import { executorInUse } from './server-host.ts';

const store = (executor: HostRecord['executor'] | undefined, jobs: number) => ({
  hosts: { byId: async () => (executor === undefined ? null : ({ executor } as HostRecord)) },
  jobs: { onHost: async () => Array<JobRecord>(jobs).fill({} as JobRecord) },
});

test.each<[string, 'docker' | 'process' | undefined, number, object]>([
  ['a machine without a record', undefined, 0, { executor: 'docker', remaining: 0 }],
  ['a machine with the same executor', 'docker', 3, { executor: 'docker', remaining: 0 }],
  ['another executor without jobs', 'process', 0, { executor: 'docker', remaining: 0 }],
  ['another executor with jobs', 'process', 2, { executor: 'process', remaining: 2 }],
])(
  '%s: the configured executor is used unless jobs need the other',
  async (_, before, jobs, expected) => {
    const parts = store(before, jobs) as unknown as Parameters<typeof executorInUse>[0];
    expect(await executorInUse(parts, 'local', 'docker')).toEqual(expected);
  },
);
