import type { QuotaName } from '@dstack/client';
import type { Cli } from '../../context.ts';
import { orNotFound } from '../../resource-error.ts';
import { quotaText } from './place.ts';

export async function runDeleteQuota(
  place: QuotaName,
  { yes }: { readonly yes: boolean },
  cli: Cli,
): Promise<void> {
  const { client } = await cli.connect();
  const name = quotaText(place);
  if (!yes && !(await cli.prompt.confirm(`Delete the quota of ${name}?`))) {
    cli.io.info('Exiting...');
    return;
  }
  await orNotFound(`Quota of ${name}`, 'dstack quota list', () => client.quotas.delete([place]));
  cli.io.info(`Quota of ${name} deleted`);
}
