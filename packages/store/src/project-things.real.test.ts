/** Records that exist only within a project: backends, secrets, repos, files, meta. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { ServiceTokenRecord } from './schema/account-records.ts';
import { rawSql } from './testing/raw-sql.ts';
import { newEvent } from './testing/records.ts';
import { forEachStore, openWorld } from './testing/stores.ts';

forEachStore((tests) => {
  it('lets several servers change a fact one after another, by the time of the database', async () => {
    const url = await tests.createDatabase();
    const { store } = await openWorld(tests, { url });
    const count = () =>
      store.meta.amend('count', (value, now) => ({
        value: String(Number(value ?? 0) + 1),
        result: now,
      }));
    const times = await Promise.all(Array.from({ length: 30 }, count));
    expect(await store.meta.get('count')).toBe('30');
    expect(times.every((time) => Number.isSafeInteger(time) && time > 0)).toBe(true);
    const failed = store.meta.amend('count', () => {
      throw new Error('no change');
    });
    await expect(failed).rejects.toThrow('no change');
    expect(await store.meta.get('count')).toBe('30');
  });

  it('keeps credentials of backends encrypted and apart from the configuration', async () => {
    const url = await tests.createDatabase();
    const { store, projectId } = await openWorld(tests, { url });
    const { backends } = store;
    const backend = {
      ...{ id: 'b1', projectId, type: 'aws' as const, createdAt: 1, updatedAt: 1 },
      ...{ config: { type: 'aws', regions: ['b', 'a'] }, sourceConfig: { type: 'aws' } },
      ...{ auth: { access_key: 'key-in-clear' }, sourceAuth: null },
    };
    expect(await backends.insert(backend)).toBe('created');
    expect(await backends.insert({ ...backend, id: 'b2' })).toBe('name-taken');
    expect(await backends.byType(projectId, 'aws')).toEqual(backend);
    expect(await backends.byType(projectId, 'gcp')).toBeNull();
    const { auth: _, sourceAuth: __, ...shown } = backend;
    expect(await backends.list([projectId, 'absent'])).toEqual([shown]);
    expect(JSON.stringify(await rawSql(url, 'select * from backends'))).not.toContain('in-clear');
    const set = { ...backend, config: { type: 'aws' }, auth: { access_key: 'other' } };
    expect(await backends.update(projectId, 'aws', set)).toBe('updated');
    expect(await backends.update(projectId, 'gcp', set)).toBe('missing');
    expect(await backends.byType(projectId, 'aws')).toMatchObject({
      auth: { access_key: 'other' },
    });
    expect(await backends.inUse(projectId, 'aws')).toEqual({ instances: 0, volumes: 0, ending: 0 });
    await backends.delete(projectId, ['aws', 'gcp']);
    expect(await backends.list([projectId])).toEqual([]);
  });

  it('leaves a backend out whose credentials cannot be read', async () => {
    const url = await tests.createDatabase();
    const { store, projectId } = await openWorld(tests, { url });
    const part = { projectId, createdAt: 1, updatedAt: 1, config: {}, sourceConfig: null };
    const credentials = { auth: {}, sourceAuth: null };
    await store.backends.insert({ ...part, ...credentials, id: 'a', type: 'aws' });
    await store.backends.insert({ ...part, ...credentials, id: 'g', type: 'gcp' });
    await rawSql(url, `update backends set auth = 'garbage' where id = 'a' returning id`);
    const readable = await store.backends.listWithCredentials(projectId);
    expect(readable.map((backend) => backend.type)).toEqual(['gcp']);
    expect(await store.backends.list([projectId])).toHaveLength(2);
  });

  it('derives the same token for a job on every server, and finds the job of a token', async () => {
    const url = await tests.createDatabase();
    const first = await tests.open({ url });
    const [one, two] = ['0123abcd-4567-4890-8abc-def012345678', randomUUID()];
    const token = await first.meta.jobTokens.of(one);
    expect(await first.meta.jobTokens.of(two)).not.toBe(token);
    await first.close();
    const { meta, access } = await tests.open({ url });
    expect(await meta.jobTokens.of(one)).toBe(token);
    expect(await meta.jobTokens.jobOf(token)).toBe(one);
    const changed = token.replace('0123abcd', '0123abce');
    for (const wrong of [changed, `${token}x`, token.toUpperCase(), 'dstack_st_job_', '']) {
      expect(await meta.jobTokens.jobOf(wrong)).toBeNull();
    }
    expect(await access.isToken(token)).toBe(true);
    const [row] = await rawSql(url, `select value from server_meta where key = 'job_token_key'`);
    expect((row as { value: string }).value).toMatch(/^sealed:/);
  });

  it('creates and replaces secrets, and reports which', async () => {
    const url = await tests.createDatabase();
    const { store, projectId } = await openWorld(tests, { url });
    const { secrets } = store;
    const put = (id: string, value: string) =>
      secrets.put({ id, projectId, name: 'token', value }, (outcome) => ({
        events: [newEvent(`Secret ${outcome}`)],
      }));
    expect((await put('s1', 'hidden-1')).outcome).toBe('created');
    expect((await put('s2', 'hidden-1')).outcome).toBe('unchanged');
    expect(await put('s3', 'hidden-2')).toMatchObject({ outcome: 'updated', secret: { id: 's1' } });
    expect(await secrets.byName(projectId, 'token')).toMatchObject({ value: 'hidden-2' });
    expect(await secrets.values(projectId)).toEqual({ token: 'hidden-2' });
    expect(JSON.stringify(await rawSql(url, 'select * from secrets'))).not.toContain('hidden');
    const events = await store.events.list({ visibleTo: null });
    expect(events.map((event) => event.message)).toEqual(['Secret updated', 'Secret created']);
  });

  it('deletes no secret when one of the names is unknown', async () => {
    const { store, projectId } = await openWorld(tests);
    const { secrets } = store;
    for (const name of ['a', 'b']) await secrets.put({ id: name, projectId, name, value: 'v' });
    expect(await secrets.delete(projectId, ['a', 'x', 'y'])).toEqual({
      ...{ type: 'unknown', names: ['x', 'y'] },
    });
    expect(await secrets.list(projectId)).toHaveLength(2);
    expect(await secrets.delete(projectId, ['a', 'b'])).toEqual({ type: 'deleted' });
    expect(await secrets.list(projectId)).toEqual([]);
    expect(await secrets.byName(projectId, 'a')).toBeNull();
  });

  it("keeps repos by the client's id, with credentials per user", async () => {
    const url = await tests.createDatabase();
    const { store, userId, projectId } = await openWorld(tests, { url });
    const { repos } = store;
    const repo = {
      ...{ id: 'r1', projectId, repoId: 'my-repo' },
      info: { repo_type: 'remote' as const, repo_name: 'one' },
    };
    await repos.upsert(repo);
    const info = { ...repo.info, repo_name: 'two' };
    expect(await repos.upsert({ ...repo, id: 'r2', info })).toEqual({ ...repo, info });
    expect(await repos.list(projectId)).toEqual([{ ...repo, info }]);
    const creds = { clone_url: 'https://x', private_key: null, oauth_token: 'oauth-in-clear' };
    await repos.setCredentials('r1', userId, { ...creds, oauth_token: 'first' });
    await repos.setCredentials('r1', userId, creds);
    expect(await repos.credentials('r1', userId)).toEqual(creds);
    expect(await repos.credentials('r1', null)).toBeNull();
    await repos.setCredentials('r1', null, creds);
    expect(JSON.stringify(await rawSql(url, 'select * from repo_creds'))).not.toContain('clear');
    await repos.setCredentials('r1', userId, null);
    expect(await repos.credentials('r1', userId)).toBeNull();
    await repos.delete(projectId, ['my-repo', 'absent']);
    expect(await repos.byRepoId(projectId, 'my-repo')).toBeNull();
  });

  it('stores code and archives of one hash once', async () => {
    const { store, userId, projectId } = await openWorld(tests);
    const { repos, files } = store;
    const info = { repo_type: 'virtual' as const };
    await repos.upsert({ id: 'r', projectId, repoId: 'v', info });
    const code = { id: 'c1', repoId: 'r', hash: 'h', sha256: 's', size: 3, createdAt: 1 };
    expect(await repos.insertCode(code)).toEqual(code);
    expect(await repos.insertCode({ ...code, id: 'c2' })).toEqual(code);
    expect(await repos.code('r', 'h')).toEqual(code);
    expect(await repos.code('r', 'other')).toBeNull();
    const archive = { id: 'a1', userId, hash: 'h', sha256: 's', size: 3, createdAt: 1 };
    expect(await files.insertArchive(archive)).toEqual(archive);
    expect(await files.insertArchive({ ...archive, id: 'a2' })).toEqual(archive);
    expect(await files.archiveByHash(userId, 'h')).toEqual(archive);
    expect(await files.archiveByHash('another', 'h')).toBeNull();
    expect(await files.archivesByIds(['a1', 'a2'])).toEqual([archive]);
  });

  it('keeps bytes as they are', async () => {
    const { files, logs } = await tests.open();
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
    expect(await files.blobs.has('s')).toBe(false);
    await files.blobs.put('s', bytes);
    await files.blobs.put('s', bytes);
    expect(await files.blobs.has('s')).toBe(true);
    expect(Buffer.from((await files.blobs.get('s'))!)).toEqual(Buffer.from(bytes));
    expect(await files.blobs.get('absent')).toBeNull();
    const piece = {
      ...{ jobId: 'j', seq: 0, project: 'main', run: 'train', startOffset: 0, endOffset: 4 },
      ...{ bytes, marks: bytes, firstEvent: 0, eventCount: 1, events: bytes, ended: true },
    };
    expect(await logs.tables.insert(piece)).toBe(true);
    expect(await logs.tables.insert(piece)).toBe(false);
    const found = (await logs.tables.withOffset('j', 2))!;
    expect(Buffer.from(found.bytes)).toEqual(Buffer.from(bytes));
    expect(found.ended).toBe(true);
  });

  it('remembers facts of the installation and tokens of programs', async () => {
    const { meta } = await tests.open();
    expect(await meta.serverId()).toBe(await meta.serverId());
    expect(await meta.get('k')).toBeNull();
    expect(await meta.setOnce('k', 'one')).toBe('one');
    expect(await meta.setOnce('k', 'two')).toBe('one');
    await meta.set('k', 'three');
    expect(await meta.get('k')).toBe('three');
  });

  it('keeps tokens of programs by their hash, with when they were last used', async () => {
    const { store, projectId, userId } = await openWorld(tests);
    const { serviceTokens } = store.meta;
    const token: ServiceTokenRecord = {
      ...{ models: null, services: null, limits: null },
      id: 't',
      projectId,
      name: 'ci',
      scope: 'read',
      createdBy: userId,
      createdAt: 1,
      expiresAt: 9,
      lastUsedAt: null,
    };
    expect(await serviceTokens.insert(token, 'secret')).toBe('created');
    expect(await serviceTokens.insert({ ...token, id: 'u' }, 'more')).toBe('name-taken');
    await serviceTokens.used('t', 5);
    expect(await serviceTokens.byToken('secret')).toEqual({ ...token, lastUsedAt: 5 });
    expect(await serviceTokens.byToken('more')).toBeNull();
    expect(await serviceTokens.list(projectId)).toHaveLength(1);
    await serviceTokens.delete(['t']);
    expect(await serviceTokens.list(projectId)).toEqual([]);
  });
});
