/** The contract of the adapter, with every request and answer judged by Google's discovery documents of 2026-11. */
import { Requirements } from '@dstack/contract/wire';
import {
  type DiscoveryDocument,
  discoveryProblems,
  gcpFactsOf,
  googleDocuments,
  manualClock,
  startCloud,
} from '@dstack/testkit/cloud';
import { describe, expect, it, onTestFinished } from 'vitest';
import { describeBackend } from '../base/testing/contract.suite.ts';
import { newOrder } from '../base/testing/orders.ts';
import { passingPace } from '../base/testing/passing-pace.ts';
import { gcpContractWorld } from './testing/contract-world.ts';
import { gcpAt, REGION } from './testing.ts';

const documents = googleDocuments();

describe.skipIf(documents === null)('judged by the documents of Google', () => {
  const of = (name: 'compute.v1.json' | 'cloudresourcemanager.v1.json') =>
    documents?.(name) as DiscoveryDocument;
  const compute = of('compute.v1.json');
  const projects = of('cloudresourcemanager.v1.json');
  const violations = new Set<string>();
  const judged = { calls: 0 };

  /** Errors have a form of their own. */
  async function judging(url: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const { pathname, search } = new URL(String(url));
    const response = await fetch(url, init);
    if (pathname === '/token') return response;
    const document = pathname.startsWith('/compute/') ? compute : projects;
    const answer: unknown = response.ok ? await response.clone().json() : null;
    const body: unknown = init.body === undefined ? null : JSON.parse(String(init.body));
    const call = { method: init.method ?? 'GET', path: `${pathname}${search}`, body, answer };
    judged.calls++;
    for (const problem of discoveryProblems(document, call)) violations.add(problem);
    return response;
  }

  describeBackend('GCP', () => gcpContractWorld(judging));

  it('orders of every kind, lists that lack a zone, and failed operations are too', async () => {
    const clock = manualClock();
    const cloud = await startCloud({ personality: 'gcp', clock, limits: false });
    onTestFinished(() => cloud.close());
    const backend = gcpAt({
      ...{ cloud, pace: passingPace(clock), fetch: judging },
      settings: { serviceAccount: 'jobs@demo-project.iam.gserviceaccount.com', labels: { a: 'b' } },
      network: { isPublic: false },
    });
    const order = async (resources: object, spot: boolean) => {
      const wanted = Requirements.parse({ resources: { disk: '..200GB', ...resources }, spot });
      const { offers } = await backend.offers(wanted);
      const offer = offers.find(({ region }) => region === REGION) ?? null;
      await backend.instances?.create({ ...newOrder(offer), authorizedKeys: ['ssh-ed25519 A a'] });
    };
    await order({ gpu: 'T4:1' }, false);
    await order({ gpu: 'L4:1' }, true);
    await backend.check();
    gcpFactsOf(cloud.account).unreachable.add('us-west4-a');
    cloud.sellOut('e2-standard-4', 'us-central1-a');
    await order({ cpu: '4', memory: '10GB..' }, false);
    expect(cloud.vms()).toBe(3);
  });

  it('no request and no answer violates them, and a misspelt field, enumeration or nesting does', () => {
    expect([...violations]).toEqual([]);
    expect(judged.calls).toBeGreaterThan(100);
    const path = '/compute/v1/projects/p/zones/us-central1-a/instances';
    const wrong = (body: object, query = '') =>
      discoveryProblems(compute, { method: 'POST', path: path + query, body, answer: null });
    expect(wrong({ machinetype: 'a' })).toEqual([
      'compute.instances.insert: request.machinetype: no such field',
    ]);
    expect(wrong({ scheduling: { provisioningModel: 'SPOTTY' } })).toHaveLength(1);
    expect(wrong({ disks: { boot: true } })).toHaveLength(1);
    expect(wrong({ name: 'a' }, '?requestid=1')).toHaveLength(1);
    const mask = { method: 'GET', path: `${path}?fields=items(nam)`, body: null, answer: null };
    expect(discoveryProblems(compute, mask)).toHaveLength(1);
  });
});
