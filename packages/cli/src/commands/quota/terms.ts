/** Quotas as flags: `gpu=8`, `gpu.H100=4`, `memory=512GB`. */
import type { QuotaConfiguration } from '@dstack/contract/wire';
import { UsageError } from '../../errors.ts';

export interface TermFlags {
  readonly guaranteed: readonly string[];
  readonly limit: readonly string[];
  readonly weight: number | null;
}

/** Reads the flags as a configuration is read, so that both have the same rules. */
export async function termsOf(flags: TermFlags): Promise<QuotaConfiguration> {
  if (flags.limit.length === 0 && flags.guaranteed.length === 0 && flags.weight === null) {
    throw new UsageError('Nothing to set', {
      next: 'dstack quota set --limit gpu=8; also --guaranteed and --weight',
    });
  }
  const { parseConfiguration } = await import('@dstack/contract');
  const document = {
    type: 'quota',
    guaranteed: amountsOf('--guaranteed', flags.guaranteed),
    limit: amountsOf('--limit', flags.limit),
    weight: flags.weight,
  };
  const parsed = parseConfiguration(JSON.stringify(document), 'configuration');
  if (parsed.ok) return parsed.value as QuotaConfiguration;
  const [first] = parsed.errors;
  throw new UsageError(`Not a quota: ${first?.path ?? ''} ${first?.message ?? ''}`, {
    why: 'amounts are written like gpu=8, gpu.H100=4, cpu=64, memory=512GB, instances=4, cost=12.5, runs=50',
  });
}

function amountsOf(flag: string, words: readonly string[]): Record<string, unknown> | null {
  if (words.length === 0) return null;
  const amounts: Record<string, unknown> = {};
  const gpus: [string, string][] = [];
  for (const word of words) {
    const [, key = '', value = ''] = /^([^=]+)=(.+)$/.exec(word) ?? [];
    if (key === '') {
      throw new UsageError(`${flag} ${word} has no amount`, { next: `${flag} gpu=8` });
    }
    if (key.startsWith('gpu.')) gpus.push([key.slice('gpu.'.length), value]);
    else amounts[key] = value;
  }
  if (gpus.length > 0) amounts.gpu = Object.fromEntries(gpus);
  return amounts;
}
