import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** As many suites are begun between two of the official client. */
const BETWEEN = 6;

/**
 * Suites of the official client keep a processor busy each, and their attached commands wait for each
 * other; most others wait for hosts and daemons. So the former are spread among the latter, those of
 * all flows (`v*`) before those over SSH, which are short.
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
