import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** This many other suites are started between two of the official client. */
const BETWEEN = 6;

/**
 * Suites of the official client keep a processor busy each, and their attached commands wait for
 * each other; most others wait for hosts and daemons. So the former are spread among the latter:
 * first those of all flows (`v*`), then those over SSH, which are short.
 *
 * Suites with a real Kubernetes, which may still have to be built beside the tests, are the last ones of
 * `e2e`: while they wait for it, they would keep others from running.
 *
 * The simulation computes for minutes and waits for nothing. It runs beside those of Kubernetes, which wait; as
 * one of the last it would run alone.
 */
export class SuiteOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return suiteOrder(await super.sort(files));
  }
}

type Suite = Pick<TestSpecification, 'moduleId'> & {
  readonly project: Pick<TestSpecification['project'], 'name'>;
};

/** `sorted`: by project. */
export function suiteOrder<T extends Suite>(sorted: readonly T[]): T[] {
  const isClients = ({ moduleId }: T) => moduleId.includes('/official-client/');
  const needsKubernetes = ({ moduleId }: T) =>
    /\/e2e\/kubernetes[^/]*$|\/kubernetes-contract\.real\.test\.ts$/.test(moduleId);
  const clients = sorted.filter(isClients).sort((a, b) => (a.moduleId < b.moduleId ? 1 : -1));
  const computes = ({ moduleId }: T) => moduleId.endsWith('/simulation.real.test.ts');
  const isPlaced = (suite: T) => isClients(suite) || needsKubernetes(suite) || computes(suite);
  const order = sorted.filter((suite) => !isPlaced(suite));
  for (const [i, suite] of clients.entries()) order.splice(i * (BETWEEN + 1), 0, suite);
  const end = order.findLastIndex(({ project }) => project.name === 'e2e') + 1;
  order.splice(end, 0, ...sorted.filter(needsKubernetes), ...sorted.filter(computes));
  return order;
}
