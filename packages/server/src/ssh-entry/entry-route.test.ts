import { describe, expect, it } from 'vitest';
import { entryAnswer, isJobTarget } from './entry-route.ts';

const ID = '11111111-1111-4111-8111-111111111111';
const route = { hostname: 'ssh.example.com', port: 2222, jobs: 'needed' } as const;
const all = { ...route, jobs: 'all' } as const;
const pod = { hostname: null, entry_only: true };
const machine = { hostname: '192.0.2.7' };

describe('the address of a job', () => {
  it('is behind the entry if clients have no other way, or by the setting', () => {
    expect(entryAnswer(ID, pod, route)).toEqual({
      ...{ hostname: 'localhost', ssh_port: 10_022, dockerized: false },
      ssh_proxy: { hostname: 'ssh.example.com', port: 2222, username: ID },
    });
    expect(entryAnswer(ID, machine, all)?.hostname).toBe('192.0.2.7');
    expect(entryAnswer(ID, machine, route)).toBeNull();
    expect(entryAnswer(ID, pod, null)).toBeNull();
  });

  it('is the only one that the entry leads to', () => {
    expect(isJobTarget('localhost', 10_022, pod)).toBe(true);
    expect(isJobTarget('192.0.2.7', 10_022, machine)).toBe(true);
    expect(isJobTarget('192.0.2.7', 22, machine)).toBe(false);
    expect(isJobTarget('192.0.2.8', 10_022, machine)).toBe(false);
    expect(isJobTarget('192.0.2.7', 10_022, null)).toBe(false);
  });
});
