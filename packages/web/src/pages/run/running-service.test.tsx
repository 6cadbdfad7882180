import type { Explanation } from '@dstack/contract/wire';
import { screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { renderRun } from '../../testing/render-run.tsx';
import { aRun } from '../../testing/runs.ts';

describe('a running service', () => {
  it('that is well is offered no repair', async () => {
    const explanation = {
      subject: { kind: 'service', name: 'api', id: 'x', project_name: 'main', status: 'running' },
      ...{ state: 'running', summary: 'Service api is ready.', since: null, until: null },
      ...{ attempt: null, position: null, ahead: [], reasons: [], parts: [], considered: [] },
      fixes: [{ text: 'See what it prints', command: 'dstack logs api', value: null }],
      ...{ events: [], waiting_for: null },
    } as unknown as Explanation;
    const run = aRun('api', {
      run_spec: { run_name: 'api', configuration: { type: 'service', port: 8000 } },
    } as never);
    await renderRun('/projects/main/runs/api', () => run, '', { explain: async () => explanation });
    await screen.findByText('Service api is ready.');
    expect(screen.queryByText('What would help')).toBeNull();
  });

  it('shows the requests of the last minute, and which replica gets none and why', async () => {
    const replica = {
      ...{ replica_num: 0, job_id: 'a', group: '0', state: 'ready', reason: null, until: null },
      ...{ in_flight: 4, requests: 1200, errors: 0, weight: 0.997, p50_ms: 8 },
      ...{ p95_ms: 900, p99_ms: 1500 },
    };
    const reason = 'it has answered 5 requests in a row with errors';
    const avoided = { ...replica, replica_num: 1, job_id: 'b', state: 'avoided', reason };
    const traffic = async () => ({
      ...{ run_id: 'r', run_name: 'api', window_seconds: 55, requests: 1204, errors: 4, rps: 22 },
      ...{ p50_ms: 8, p95_ms: 930, p99_ms: 1600, in_flight: 4, held: 0, partial: false },
      ...{ answered: { '2xx': 1200 }, replicas: [replica, avoided], replicas_total: 2 },
      ...{ gateway: null, servers: 1, missing_servers: 0, missing_gateway_replicas: [] },
      model: {
        ...{ answers: 7, prompt_tokens_per_second: 1200, completion_tokens_per_second: 95.4 },
        ...{ first_token_p50_ms: 180, first_token_p95_ms: 950, first_token_p99_ms: 990 },
      },
    });
    const run = aRun('api', {
      service: { url: '/proxy/services/main/api/', model: null, options: {} },
      run_spec: { run_name: 'api', configuration: { type: 'service', port: 8000 } },
    } as never);
    const access = async function* () {};
    await renderRun('/projects/main/runs/api', () => run, '', { services: { access, traffic } });
    const panel = await screen.findByRole('region', { name: 'Traffic' });
    for (const text of ['1,204', '4 (<1 %)', '22/s', '930 ms', '95/s', '180 ms', '950 ms']) {
      within(panel).getByText(text);
    }
    const table = within(panel).getByRole('table', { name: 'Traffic of replicas' });
    const [, first, second] = within(table).getAllByRole('row');
    within(first as HTMLElement).getByText('Ready');
    within(second as HTMLElement).getByText('Avoided');
    within(panel).getByText(`Replica 1 gets no requests: ${reason}.`);
  });

  it('shows its latest requests, the last one first, whatever their paths contain', async () => {
    const request = { ms: 8.25, user: 'ann', address: '10.0.0.7', request_id: 'id' };
    const access = async function* () {
      const first = { ...request, time: 1, method: 'GET', path: '/first', status: 200 };
      const second = { ...request, time: 2, method: 'POST', path: '/<b>second', status: 502 };
      yield { kind: 'requests', requests: [first, second] };
    };
    const run = aRun('api', {
      service: { url: '/proxy/services/main/api/', model: null, options: {} },
      run_spec: { run_name: 'api', configuration: { type: 'service', port: 8000 } },
    } as never);
    const traffic = async () => Promise.reject(new Error('none'));
    await renderRun('/projects/main/runs/api', () => run, '', { services: { access, traffic } });
    const table = await screen.findByRole('table', { name: 'Latest requests' });
    const [, last, before] = within(table).getAllByRole('row');
    within(last as HTMLElement).getByText('POST /<b>second');
    within(last as HTMLElement).getByText('502');
    within(before as HTMLElement).getByText('GET /first');
  });
});
