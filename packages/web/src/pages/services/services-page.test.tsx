import { screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { renderApp } from '../../testing/render-app.tsx';
import { aRun } from '../../testing/runs.ts';

const service = (url: string) => ({ url, model: null, options: {} }) as never;
const configuration = { type: 'service', port: 8000 };

describe('the list of services', () => {
  it('has the requests of the last minute, those of services behind gateways too', async () => {
    const asked: (readonly string[])[] = [];
    const runs = [
      aRun('api', {
        service: service('/proxy/services/main/api/'),
        run_spec: { run_name: 'api', configuration } as never,
      }),
      aRun('far', {
        service: service('https://far.gateway.example/'),
        run_spec: { run_name: 'far', configuration } as never,
      }),
    ];
    await renderApp('/services', {
      listRuns: async () => runs,
      project: () => ({
        services: {
          async listTraffic(names: readonly string[]) {
            asked.push(names);
            const latencies = { p50_ms: 8.25, p95_ms: 40, p99_ms: 1234 };
            const services = runs.map(({ id }, index) => ({
              ...{ ...latencies, run_id: id, rps: index === 0 ? 12.4 : 98.7 },
              ...{ in_flight: 3, held: 1, ready: 1 },
            }));
            return { services };
          },
        },
      }),
    });
    const row = (await screen.findByText('12/s')).closest('tr') as HTMLElement;
    for (const text of ['api', '8.3 ms', '1.2 s', '3 and 1 waiting']) within(row).getByText(text);
    const far = (await screen.findByText('99/s')).closest('tr') as HTMLElement;
    within(far).getByText('far');
    expect(asked).toEqual([['api', 'far']]);
  });
});
