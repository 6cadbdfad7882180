import type { AgentInfo } from '@dstack/contract/agent';
import type { HostRecord, Signal } from '@dstack/core';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { HostRows } from './host-rows.ts';

const ROW: HostRecord = {
  ...{ id: 'h', connected: true, since: 1, facts: null, executor: null, error: null },
  failed: false,
};
const INFO = { executor: 'docker' } as unknown as AgentInfo;

/** The rows of a database with these, and every state that was stored. */
function rowsOf(...known: readonly HostRecord[]) {
  const stored = new Map(known.map((row) => [row.id, row]));
  const saved: HostRecord[] = [];
  const signals: string[] = [];
  const database = { failures: 0, isShort: false };
  const rows = new HostRows({
    store: {
      hosts: {
        byId: async (id: string) => stored.get(id) ?? null,
        save: async (row: HostRecord) => {
          saved.push(row);
          stored.set(row.id, row);
        },
        delete: async (id: string) => void stored.delete(id),
      },
      instances: { onHost: async () => [] },
      engine: {
        hostDependants: async (id: string) => {
          if (database.failures-- > 0) throw new Error('the database does not answer');
          return [{ kind: 'instance', id }];
        },
        signal: async (some: readonly Signal[]) => void signals.push(...some.map(({ id }) => id)),
      },
    } as never,
    now: () => 9,
    isShort: () => database.isShort,
    log: pino({ level: 'silent' }),
  });
  return { rows, saved, signals, database };
}

describe('a host that no server was linked to before', () => {
  it('is stored once its agent connects, and no signal is sent before', async () => {
    const { rows, saved, signals } = rowsOf();
    await rows.opened('h');
    expect([saved, signals]).toEqual([[], []]);
    await rows.connected('h', INFO);
    expect(saved).toMatchObject([{ id: 'h', connected: true, since: 9, executor: 'docker' }]);
    expect(signals).toEqual(['h']);
  });

  it('is stored with the first stage of the installation of its agent', async () => {
    const { rows, saved } = rowsOf();
    await rows.opened('h');
    await rows.progress('h', 'Checking the host');
    await rows.progress('h', 'Uploading the agent');
    expect(saved.map(({ connected, error }) => [connected, error])).toEqual([
      [false, 'Checking the host'],
      [false, 'Uploading the agent'],
    ]);
  });

  it('does not come back with a late report of progress once it was deleted', async () => {
    const { rows, saved } = rowsOf();
    await rows.opened('h');
    await rows.delete('h');
    await rows.progress('h', 'Uploading the agent');
    expect(saved).toEqual([]);
  });

  it('is stored with the reason if its agent does not connect', async () => {
    const { rows, saved } = rowsOf();
    await rows.opened('h');
    await rows.disconnected('h', { error: 'Connection refused', failed: true });
    expect(saved).toMatchObject([{ connected: false, error: 'Connection refused', failed: true }]);
  });
});

describe('a host that a server was linked to before', () => {
  it('that is deleted wakes what waits for its agent at any server: it will never answer', async () => {
    const { rows, signals } = rowsOf(ROW);
    await rows.delete('h');
    expect(signals).toEqual(['h']);
  });

  it('is unreachable from the moment at which its link is opened', async () => {
    const { rows, saved, signals } = rowsOf(ROW);
    await rows.opened('h');
    expect(saved).toMatchObject([{ connected: false, since: 9, error: 'not connected yet' }]);
    expect(signals).toEqual(['h']);
  });

  it('keeps what is newer than a late report of progress', async () => {
    const { rows, saved } = rowsOf(ROW);
    await rows.progress('h', 'Checking the host');
    expect(saved).toEqual([]);
  });
});

it('a host whose loss was stored and could not be signalled is signalled at the next attempt to reach it', async () => {
  const { rows, saved, signals, database } = rowsOf(ROW);
  database.failures = 2;
  const attempt = () => rows.disconnected('h', { error: 'refused' });
  await expect(attempt()).rejects.toThrow('the database does not answer');
  await expect(attempt()).rejects.toThrow('the database does not answer');
  expect(signals).toEqual([]);
  await attempt();
  await attempt();
  expect(signals).toEqual(['h']);
  expect(saved).toHaveLength(1);
});

describe('a server that can open no connection', () => {
  it('declares no host unreachable until it can', async () => {
    const { rows, saved, signals, database } = rowsOf(ROW);
    database.isShort = true;
    await rows.disconnected('h', { error: 'connect EMFILE' });
    expect([saved, signals]).toEqual([[], []]);
    database.isShort = false;
    await rows.disconnected('h', { error: 'connection refused' });
    expect(saved).toMatchObject([{ connected: false, since: 9, error: 'connection refused' }]);
  });

  it('counts the time since when a host is unreachable anew with each attempt', async () => {
    const { rows, saved, signals, database } = rowsOf({ ...ROW, connected: false, error: 'old' });
    database.isShort = true;
    await rows.disconnected('h', { error: 'connect EMFILE', failed: true });
    expect(saved).toMatchObject([{ connected: false, since: 9, failed: false }]);
    expect(signals).toEqual(['h']);
  });
});
