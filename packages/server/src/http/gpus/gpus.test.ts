import { endpoints } from '@dstack/contract/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gpuOffer } from '../testing/offers.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  server.offers.push(gpuOffer('aws', 'H100', 8, 98.32));
});
afterAll(() => server.close());

const list = (run: object, groups: readonly string[]) =>
  server.call('/api/project/main/gpus/list', {
    run_spec: { configuration: { type: 'task', commands: ['nvidia-smi'], ...run } },
    group_by: groups,
  });

describe('offers by device', () => {
  it('are grouped with prices per GPU and of the whole offer', async () => {
    const answer = await list({ image: 'scratch', resources: { gpu: '1..' } }, ['backend']);
    expect(endpoints['gpus.list'].response?.parse(answer.body)).toEqual(answer.body);
    expect(answer.body.gpus).toEqual([
      expect.objectContaining({
        name: 'H100',
        backend: 'aws',
        count: { min: 8, max: 8 },
        price: { min: 12.29, max: 12.29 },
        offer_price: { min: 98.32, max: 98.32 },
      }),
    ]);
    expect(answer.text).not.toContain('null');
  });

  it('require the backend if they are grouped by region', async () => {
    const answer = await list({}, ['region']);
    expect(answer.body.detail[0].msg).toMatch(/without also grouping by 'backend'/);
  });
});
