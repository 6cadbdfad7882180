import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { domainProof } from './domain-proof.ts';
import { type LinkedGateway, linkedGateway } from './testing/linked-gateway.ts';

describe('the domain of a gateway', () => {
  const project = { id: 'p1', name: 'Lab' };
  const proof = async (
    name: string,
    {
      domains = new Map<string, string[]>(),
      texts = {} as Readonly<Record<string, string[]>>,
      wildcardDomain = '*.apps.test' as string | null,
      earlier = null as string | null,
    } = {},
  ) =>
    await domainProof(
      {
        domains,
        readTxt: async (wanted) => {
          if (wanted.endsWith('.broken.test')) throw new Error('queryTxt ESERVFAIL');
          return texts[wanted] ?? [];
        },
        gateways: { unprovenDomain: async () => earlier },
      },
      project,
      { id: 'g', wildcardDomain },
      name,
    );

  it('is proven if the operator has given it, or one above it, to the project', async () => {
    const given = (domain: string, of = 'lab') => ({ domains: new Map([[of, [domain]]]) });
    expect(await proof('apps.test', given('apps.test'))).toEqual({ kind: 'proven' });
    expect(await proof('apps.test', given('test'))).toEqual({ kind: 'proven' });
    expect(await proof('x.apps.test', given('apps.test'))).toEqual({ kind: 'proven' });
    for (const one of [given('apps.test', 'main'), given('a.apps.test'), given('pps.test')]) {
      expect(await proof('apps.test', one)).toMatchObject({ kind: 'unproven' });
    }
  });

  it('is proven by a record for the project at the domain, also where each project has its own part', async () => {
    const texts = { '_dstack.apps.test': ['other', 'dstack-project=p1'] };
    expect(await proof('apps.test', { texts })).toEqual({ kind: 'proven' });
    const wildcardDomain = '*.${{ run.project_name }}.apps.test';
    expect(await proof('lab.apps.test', { texts, wildcardDomain })).toEqual({ kind: 'proven' });
    const foreign = { '_dstack.apps.test': ['dstack-project=p2'] };
    expect(await proof('apps.test', { texts: foreign })).toEqual({
      kind: 'unproven',
      text: 'The DNS hook of this server sets records for project Lab only in its own domains, and apps.test is not proven to be one. Create this record, then try again: _dstack.apps.test TXT "dstack-project=p1"; or the operator of the server adds Lab=apps.test to DSTACK_GATEWAY_DOMAINS',
    });
  });

  it('is not proven while DNS does not answer', async () => {
    const unanswered = await proof('a.broken.test', { wildcardDomain: '*.a.broken.test' });
    expect(unanswered).toMatchObject({ kind: 'unproven' });
    expect(JSON.stringify(unanswered)).toContain('ESERVFAIL');
  });

  it('is passed with a warning for a gateway that had it before, not for another domain', async () => {
    const earlier = '*.apps.test';
    expect(await proof('apps.test', { earlier })).toMatchObject({ kind: 'earlier' });
    const other = { earlier, wildcardDomain: '*.bank.test' };
    expect(await proof('bank.test', other)).toMatchObject({ kind: 'unproven' });
    expect(await proof('apps.test', other)).toMatchObject({ kind: 'unproven' });
  });
});

describe('a record that a gateway wants', () => {
  let world: LinkedGateway;
  beforeEach(async () => {
    world = await linkedGateway();
  });
  afterEach(async () => {
    await world.close();
  });
  const errorOf = async (n: number, action = 'add') => {
    const record = { name: '_acme-challenge.apps.test', value: 'x'.repeat(43) };
    world.program.send({ type: 'dns', n, action, ...record });
    const answer = await world.program.receives({ type: 'dns-done', n });
    return 'error' in answer ? answer.error : undefined;
  };

  it('is set once its domain is proven; until then the certificate shows what to do', async () => {
    const project = await world.server.store.projects.byName('main');
    for (const [n, action] of ['add', 'remove'].entries()) {
      expect(await errorOf(n, action)).toContain(
        `_dstack.apps.test TXT "dstack-project=${project?.id}"`,
      );
    }
    expect(world.records).toEqual([]);
    world.texts.set('_dstack.apps.test', [`dstack-project=${project?.id}`]);
    expect(await errorOf(3)).toBeNull();
    world.texts.clear();
    world.domains.set('main', ['apps.test']);
    expect(await errorOf(4, 'remove')).toBeNull();
    expect(world.records.map(({ action }) => action)).toEqual(['add', 'remove']);
  });
});
