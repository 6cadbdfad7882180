import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** This many other suites are started between two of the official client. */
const BETWEEN = 6;

/**
 * Suites of the official client keep a processor busy each, and their attached commands wait for
 * each other; most others wait for hosts and daemons. So the former are spread among the latter:
 * first those of all flows (`v*`), then those over SSH, which are short.
 */
export class SuiteOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isClients = ({ moduleId }: TestSpecification) => moduleId.includes('/official-client/');
    const clients = sorted.filter(isClients).sort((a, b) => (a.moduleId < b.moduleId ? 1 : -1));
    const order = sorted.filter((file) => !isClients(file));
    for (const [i, file] of clients.entries()) order.splice(i * (BETWEEN + 1), 0, file);
    return order;
  }
}
