import type { Quota, QuotaConfiguration } from '@dstack/contract/wire';
import type { LoadedConfiguration } from '../../configuration/load-file.ts';
import type { Cli } from '../../context.ts';
import { renderProperties } from '../../terminal/table.ts';
import { isSamePlace, quotaPlace, quotaText } from '../quota/place.ts';
import { renderQuotaTable } from '../quota/quota-table.ts';
import { warnOfUnpriced } from '../quota/unpriced.ts';
import type { ApplyOptions } from './apply-options.ts';
import { type CreateDecision, confirmed } from './create-flow.ts';
import { diffFields, renderDiff } from './spec-diff.ts';

type Loaded = LoadedConfiguration & { readonly value: QuotaConfiguration };
type Terms = Pick<Quota, 'guaranteed' | 'limit' | 'weight'>;

/** Applies a quota. The plan shows what changes; nothing that runs ends because of it. */
export async function runApplyQuota(
  { value, path }: Loaded,
  options: ApplyOptions,
  cli: Cli,
): Promise<void> {
  const { client } = await cli.connect();
  const place = await quotaPlace(value, cli);
  const { guaranteed, limit, weight } = value;
  const wanted = { ...place, guaranteed, limit, weight };
  const known = await client.quotas.list(place.project_name);
  const current = known.find((one) => isSamePlace(one, place)) ?? null;
  const decision = decideQuota(quotaText(place), current, wanted);
  const plan = { quota: wanted, current };
  const layout = { width: cli.io.width, paint: cli.io.paint };
  if (options.json) {
    if (options.dryRun) cli.io.json(plan);
  } else {
    const properties: (readonly [string, string])[] = [
      ['Project', place.project_name],
      ['Fleet', place.fleet_name ?? 'all'],
      ['User', place.user_name === '*' ? 'each' : (place.user_name ?? 'all together')],
      ['Configuration', path],
      ['Type', 'quota'],
    ];
    cli.io.print(renderProperties(properties, layout));
    cli.io.print(decision.notice);
  }
  if (options.dryRun) return;
  if (!(await confirmed(decision, options, cli))) {
    if (options.json) cli.io.json(plan);
    return;
  }
  const [quota] = await client.quotas.apply([wanted]);
  if (!quota) return;
  if (options.json) cli.io.json(quota);
  else cli.io.print(renderQuotaTable([quota], layout));
  await warnOfUnpriced(quota, cli);
}

function decideQuota(name: string, current: Quota | null, wanted: Terms): CreateDecision {
  const terms = ({ guaranteed, limit, weight }: Terms) => ({ guaranteed, limit, weight });
  if (current === null) {
    const notice = `There is no quota of ${name} yet.`;
    return { notice, question: 'Set the quota?', unchanged: false, replaces: false };
  }
  const differences = diffFields(terms(current), terms(wanted));
  if (differences.length === 0) {
    const notice = `The quota of ${name} is as in the file.`;
    return { notice, question: 'Set the quota again?', unchanged: true, replaces: false };
  }
  const notice = `Found the quota of ${name}. Changes:\n${renderDiff(differences).trimEnd()}`;
  return { notice, question: 'Change the quota?', unchanged: false, replaces: false };
}
