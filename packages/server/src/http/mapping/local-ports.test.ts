import type { JobSpec } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { withPortsBeside } from './local-ports.ts';

const app = (port: number, local: number | null) => ({ port, map_to_port: local });

it.each([
  [8000, 8000, 18_000],
  [8000, null, 18_000],
  [8000, 9000, 9000],
  [60_000, 60_000, 50_000],
])('port %d, requested as local port %s, is forwarded to %d', (port, wish, offered) => {
  const spec = { app_specs: [app(port, wish)] } as unknown as JobSpec;
  expect(withPortsBeside(spec).app_specs).toEqual([app(port, offered)]);
});
