import { type EventTargetRecord, recordEvent } from '@dstack/core';
import { expect, it } from 'vitest';
import { rawSql } from '../testing/raw-sql.ts';
import { actor, newEvent, projectRecord, userRecord } from '../testing/records.ts';
import { forEachStore, openWorld, type World } from '../testing/stores.ts';
import type { EventFilter } from './types.ts';

const ALL = { visibleTo: null };

function target(
  type: EventTargetRecord['type'],
  id: string,
  projectId: string | null,
  parentId: string | null = null,
): EventTargetRecord {
  return { type, id, name: `${type} ${id}`, projectId, parentId };
}

async function story(world: World) {
  const { store, userId, projectId } = world;
  const bob = userRecord({ name: 'bob' });
  await store.users.insert(bob);
  const other = projectRecord(bob.id, { name: 'other' });
  await store.projects.insert(other);
  const run = target('run', 'r1', projectId);
  const job = target('job', 'j1', projectId, 'r1');
  const fleet = target('fleet', 'f1', other.id);
  const instance = target('instance', 'i1', other.id, 'f1');
  await store.events.write([
    { ...newEvent('run', run), actor: actor(userId) },
    newEvent('job on instance', job, instance),
    { ...newEvent('fleet', fleet), actor: actor(bob.id) },
    newEvent('about bob', target('user', bob.id, null)),
  ]);
  return { bob, other };
}

async function messages(world: World, filter: Partial<EventFilter>): Promise<string[]> {
  const events = await world.store.events.list({ ...ALL, ...filter });
  return events.map((event) => event.message);
}

forEachStore((tests) => {
  it('shows events newest first with names of actors, projects and targets', async () => {
    const world = await openWorld(tests);
    await story(world);
    const listed = await world.store.events.list(ALL);
    expect(listed.map((event) => event.message)).toEqual([
      ...['about bob', 'fleet', 'job on instance', 'run'],
    ]);
    expect(listed[3]?.actor).toEqual({
      ...{ id: world.userId, name: 'alice', deleted: false, token: null, address: null },
    });
    expect(listed[2]?.actor).toBeNull();
    expect(listed[2]?.targets).toEqual([
      {
        ...{ type: 'job', id: 'j1', name: 'job j1', projectId: world.projectId, parentId: 'r1' },
        ...{ projectName: 'main', projectDeleted: false },
      },
      expect.objectContaining({ id: 'i1', projectName: 'other' }),
    ]);
  });

  it('stores action, data, outcome, token and address, and the text beside them', async () => {
    const world = await openWorld(tests);
    const token = { id: 't1', name: 'ci' };
    await world.store.events.write([
      recordEvent({
        action: 'run.submitted',
        data: { status: 'submitted' },
        outcome: 'refused',
        targets: [target('run', 'r1', world.projectId)],
        actor: { userId: world.userId, token, address: '192.0.2.1' },
      }),
    ]);
    const [event] = await world.store.events.list(ALL);
    expect(event).toMatchObject({
      ...{ action: 'run.submitted', data: { status: 'submitted' }, outcome: 'refused' },
      message: 'Run submitted. Status: SUBMITTED',
      actor: { name: 'alice', token, address: '192.0.2.1' },
    });
  });

  it('reads rows that have only a text, of earlier versions and of older servers', async () => {
    const world = await openWorld(tests);
    await story(world);
    await rawSql(
      world.url,
      'update events set action = null, data = null, outcome = null, actor_address = null',
    );
    const listed = await world.store.events.list(ALL);
    expect(listed.map(({ action, data, message }) => ({ action, data, message }))).toContainEqual({
      ...{ action: 'legacy', data: { text: 'fleet' }, message: 'fleet' },
    });
    expect(listed.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'done', 'done']);
  });

  it('shows events of actions that only a newer server has, with its text and data', async () => {
    const world = await openWorld(tests);
    await story(world);
    await rawSql(world.url, `update events set action = 'run.teleported', data = '{"to": 3}'`);
    const [event] = await world.store.events.list(ALL);
    expect(event).toMatchObject({ action: 'run.teleported', data: { to: 3 } });
    expect(event?.message).toBe('about bob');
  });

  it('pages in both directions', async () => {
    const world = await openWorld(tests);
    await story(world);
    const [newest] = await world.store.events.list({ ...ALL, page: { limit: 1 } });
    const after = { at: newest!.recordedAt, id: newest!.id };
    expect(await messages(world, { page: { after, limit: 2 } })).toEqual([
      ...['fleet', 'job on instance'],
    ]);
    expect(await messages(world, { page: { ascending: true, limit: 2 } })).toEqual([
      ...['run', 'job on instance'],
    ]);
    const within = { kind: 'project', ids: [world.projectId] } as const;
    expect(await messages(world, { within, page: { limit: 1 } })).toEqual(['job on instance']);
  });

  it('finds events by target, within things, by type and by actor', async () => {
    const world = await openWorld(tests);
    const { bob, other } = await story(world);
    const within = (kind: 'project' | 'fleet' | 'run', ...ids: string[]) =>
      messages(world, { within: { kind, ids } });
    expect(await messages(world, { targets: { type: 'run', ids: ['r1', 'x'] } })).toEqual(['run']);
    expect(await messages(world, { targets: { type: 'job', ids: ['r1'] } })).toEqual([]);
    expect(await within('run', 'r1')).toEqual(['job on instance', 'run']);
    expect(await within('fleet', 'f1')).toEqual(['fleet', 'job on instance']);
    expect(await within('project', other.id)).toEqual(['fleet', 'job on instance']);
    expect(await messages(world, { targetTypes: ['user', 'fleet'] })).toEqual([
      ...['about bob', 'fleet'],
    ]);
    expect(await messages(world, { actors: [bob.id] })).toEqual(['fleet']);
    expect(await messages(world, { actors: [null, world.userId] })).toEqual([
      ...['about bob', 'job on instance', 'run'],
    ]);
    const inOther = { kind: 'project', ids: [other.id] } as const;
    expect(await messages(world, { within: inOther, actors: [null] })).toEqual(['job on instance']);
  });

  it('requires all conditions to hold for the same target', async () => {
    const world = await openWorld(tests);
    await story(world);
    const within = { kind: 'project', ids: [world.projectId] } as const;
    expect(await messages(world, { within, targetTypes: ['instance'] })).toEqual([]);
    expect(await messages(world, { within, targetTypes: ['job'] })).toEqual(['job on instance']);
  });

  it('shows a user events of their projects and about themselves, whole', async () => {
    const world = await openWorld(tests);
    const { bob } = await story(world);
    const alices = { userId: world.userId, projectIds: [world.projectId] };
    expect(await messages(world, { visibleTo: alices })).toEqual(['job on instance', 'run']);
    const bobs = { userId: bob.id, projectIds: [] };
    expect(await messages(world, { visibleTo: bobs })).toEqual(['about bob']);
    const within = { kind: 'fleet', ids: ['f1'] } as const;
    expect(await messages(world, { visibleTo: alices, within })).toEqual(['job on instance']);
    const [event] = await world.store.events.list({ visibleTo: alices, within });
    expect(event?.targets).toHaveLength(2);
  });

  it('keeps original names of what is deleted', async () => {
    const world = await openWorld(tests);
    const { bob, other } = await story(world);
    await world.store.users.delete([bob.id]);
    await world.store.projects.delete([other.id]);
    const [event] = await world.store.events.list({ ...ALL, actors: [bob.id] });
    expect(event?.actor).toMatchObject({ id: bob.id, name: 'bob', deleted: true });
    expect(event?.targets[0]).toMatchObject({ projectName: 'other', projectDeleted: true });
  });

  it('forgets what is too old', async () => {
    const world = await openWorld(tests);
    await story(world);
    const [, fleet] = await world.store.events.list(ALL);
    const swept = await world.store.retention.deleteEvents(
      fleet!.recordedAt,
      { projectIds: [], after: 0 },
      100,
    );
    expect(swept.seen).toBe(2);
    expect(await messages(world, {})).toEqual(['about bob', 'fleet']);
    expect(await messages(world, { targetTypes: ['run'] })).toEqual([]);
  });
});
