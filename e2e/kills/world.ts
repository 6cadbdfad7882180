import { setTimeout as delay } from 'node:timers/promises';
import type { Installation } from '@dstack/testkit';
import type { TestHosts } from '@dstack/testkit/hosts';
import type { ShownRun } from '../installation.ts';

export const IMAGE = 'busybox:test';
/** The fleet of the two hosts, with two blocks each. */
export const HOSTS = 'hosts';
/** The fleet of the server's machine, whose jobs are processes. */
export const LOCAL = 'default';

export interface World {
  readonly home: Installation;
  readonly testHosts: TestHosts;
  /** Aborted long after all runs should have ended. */
  readonly limit: AbortSignal;
}

/** A test host has less than the default requirements of a run. */
export const RESOURCES = { cpu: '1..', memory: '0.5GB..', disk: '1GB..', gpu: 0 };

/** Repeats a request until a server answers. */
export async function post<T>({ home }: World, path: string, body: unknown): Promise<T> {
  for (;;) {
    try {
      return await home.api<T>(path, body);
    } catch (error) {
      if (!isAway(error)) throw error;
      await delay(50);
    }
  }
}

/** Without a connection or a complete answer `fetch` throws a `TypeError`; workers of the proxy answer 503. */
const isAway = (error: unknown): boolean =>
  error instanceof TypeError || String(error).includes('server_away');

/** Null if there is no such run. */
export async function show(world: World, run_name: string): Promise<ShownRun | null> {
  try {
    return await post(world, '/api/project/main/runs/get', { run_name });
  } catch (error) {
    if (String(error).includes('resource_not_exists')) return null;
    throw error;
  }
}

/** A request without an answer may have taken effect, so each attempt looks for the run first. */
export async function applyRun(
  world: World,
  name: string,
  configuration: Readonly<Record<string, unknown>>,
  deployment = 0,
): Promise<void> {
  const run_spec = {
    run_name: name,
    configuration: { name, resources: RESOURCES, ...configuration },
  };
  for (;;) {
    const current_resource = await show(world, name);
    if (current_resource && current_resource.deployment_num >= deployment) return;
    try {
      const body = { plan: { run_spec, current_resource }, force: true };
      await world.home.api('/api/project/main/runs/apply', body);
      return;
    } catch (error) {
      if (!isAway(error)) throw error;
      await delay(50);
    }
  }
}

export const stop = (world: World, name: string, abort: boolean) =>
  post(world, '/api/project/main/runs/stop', { runs_names: [name], abort });

/** Polls until the run satisfies `is`; null if it never does. */
export async function until(
  world: World,
  name: string,
  is: (run: ShownRun) => boolean,
): Promise<ShownRun | null> {
  while (!world.limit.aborted) {
    const run = await show(world, name);
    if (run && is(run)) return run;
    await delay(200);
  }
  return null;
}
