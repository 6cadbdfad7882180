/** The document of 2026-08 judges the personality, in both directions. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cloud, startCloud } from '../start-cloud.ts';
import { type PrismProxy, startPrism } from './prism.ts';
import { publishedDocument, unjudged } from './published-documents.ts';

const document = publishedDocument('digitalocean/specification/DigitalOcean-public.v2.yaml');
if (document === null) it(...unjudged('DigitalOcean'));
else describe('the personality of DigitalOcean', () => judge(document));

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBs= ada';

function judge(path: string): void {
  let cloud: Cloud;
  let prism: PrismProxy;
  beforeAll(async () => {
    cloud = await startCloud({ personality: 'digitalocean', limits: true });
    prism = await startPrism({ document: path, upstream: cloud.url });
  });
  afterAll(async () => {
    await prism?.[Symbol.asyncDispose]();
    await cloud?.close();
  });

  async function call(method: string, target: string, body?: unknown, key = cloud.apiKey) {
    const response = await fetch(`${prism.url}/v2${target}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    // biome-ignore lint/suspicious/noExplicitAny: the tests read single fields of JSON.
    const answer: any = text === '' ? null : JSON.parse(text);
    // Prism lists here what the document does not allow.
    expect(answer?.validation ?? [], `validation of ${method} ${target}`).toEqual([]);
    return { status: response.status, answer };
  }

  const ORDER = { name: 'one', region: 'nyc2', size: 's-1vcpu-1gb', image: 'ubuntu-24-04-x64' };

  it('answers every look-up as the document describes it', async () => {
    for (const list of ['account', 'sizes', 'regions', 'images', 'projects', 'account/keys']) {
      expect((await call('GET', `/${list}`)).status).toBe(200);
    }
    expect((await call('GET', '/sizes?per_page=2&page=2')).answer.links.pages).toBeDefined();
  });

  it('answers the whole life of a droplet with a key and a volume', async () => {
    cloud.faults.set({ boot_seconds: [0.2, 0.2], delete_seconds: 0.2 });
    const key = (await call('POST', '/account/keys', { name: 'ada', public_key: KEY })).answer;
    const volume = { name: 'data', region: 'nyc2', size_gigabytes: 10, filesystem_type: 'ext4' };
    const { id: volumeId } = (await call('POST', '/volumes', volume)).answer.volume;
    const made = await call('POST', '/droplets', {
      ...{ ...ORDER, ssh_keys: [key.ssh_key.id], tags: ['dstack-server:a'], user_data: '#!' },
    });
    expect(made.status).toBe(202);
    const { id: droplet_id } = made.answer.droplet;
    const { id: action } = made.answer.links.actions[0];
    const progress = async () => (await call('GET', `/actions/${action}`)).answer.action.status;
    await expect.poll(progress).toBe('completed');
    const act = (type: string) =>
      call('POST', `/volumes/${volumeId}/actions`, { type, droplet_id });
    expect((await act('attach')).status).toBe(202);
    const { answer } = await call('GET', `/droplets/${droplet_id}`);
    expect(answer.droplet).toMatchObject({ status: 'active', volume_ids: [volumeId] });
    expect((await act('detach')).status).toBe(202);
    await call('GET', '/droplets?tag_name=dstack-server:a');
    await call('GET', '/droplets?type=gpus');
    expect((await call('DELETE', `/droplets/${droplet_id}`)).status).toBe(204);
    await call('GET', '/droplets');
    await expect.poll(async () => (await call('GET', `/droplets/${droplet_id}`)).status).toBe(404);
    expect((await call('DELETE', `/volumes/${volumeId}`)).status).toBe(204);
  });

  it('refuses as the document describes it', async () => {
    for (const [knobs, status] of [
      [{ no_capacity: 1 }, 422],
      [{ quota: 0 }, 422],
      [{ refuse: 'balance' }, 403],
      [{ rate_limit: 1 }, 429],
      [{ error: 1 }, 500],
    ] as const) {
      cloud.faults.set(knobs);
      expect((await call('POST', '/droplets', ORDER)).status).toBe(status);
    }
    cloud.faults.set({});
    expect((await call('GET', '/account', undefined, 'another')).status).toBe(401);
  });

  it('is judged: a wrong request and a wrong answer are found', async () => {
    expect(prism.violations).toEqual([]);
    await expect(call('POST', '/droplets', { ...ORDER, size: 7 })).rejects.toThrow('validation');
    cloud.account.keys.add(7 as never, 'ssh-ed25519 AAAA another');
    await expect(call('GET', '/account/keys')).rejects.toThrow('validation');
    const found = ['post /v2/droplets: UNPROCESSABLE_ENTITY', 'get /v2/account/keys: VIOLATIONS'];
    await expect.poll(() => prism.violations).toEqual(found);
  });
}
