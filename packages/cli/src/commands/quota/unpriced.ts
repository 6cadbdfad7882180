import { isSshHost } from '@dstack/contract/status';
import type { Quota } from '@dstack/contract/wire';
import type { Cli } from '../../context.ts';
import { hangingText } from '../../terminal/text-width.ts';

/** Hosts without a price cost nothing as far as is known: a limit of `cost` does not hold for what runs on them. */
export async function warnOfUnpriced(
  { project_name, limit, fleet_name }: Quota,
  cli: Cli,
): Promise<void> {
  if (limit?.cost == null) return;
  const { client } = await cli.connect();
  // The quota is set. Managers of a fleet may limit importers whose fleets they may not see.
  const fleets = await client
    .project(project_name)
    .fleets.list()
    .catch(() => []);
  const unpriced = fleets.filter(
    ({ name, instances }) =>
      (fleet_name === null || fleet_name.split('/').at(-1) === name) &&
      instances.some(({ backend, price }) => isSshHost(backend ?? null) && !price),
  );
  if (unpriced.length === 0) return;
  const names = unpriced.map(({ name }) => name).join(', ');
  const text = `Warning: the limit of cost does not hold on hosts without a price, which count as free: fleet ${names}. Set price under ssh_config there.`;
  cli.io.info(hangingText(text, 0, cli.io.errWidth));
}
