import type { Quota } from '@dstack/contract/wire';

export const AMOUNTS = ['gpu', 'cpu', 'memory', 'instances', 'cost'] as const;
export type QuotaAmount = (typeof AMOUNTS)[number];

/** The texts of the form, by the names of the request. */
export type TermTexts = Readonly<Record<QuotaAmount | 'runs', string>>;

export const NO_TERMS: TermTexts = {
  ...{ gpu: '', cpu: '', memory: '', instances: '', cost: '', runs: '' },
};

/** The amounts of a quota as they are typed; `H100: 8, A100: 4` of GPUs by name. */
export function termTexts(terms: Quota['limit'] | Quota['guaranteed']): TermTexts {
  const texts: Record<string, string> = { ...NO_TERMS };
  for (const [name, amount] of Object.entries(terms ?? {})) {
    if (amount === null) continue;
    texts[name] =
      typeof amount === 'number'
        ? String(amount)
        : Object.entries(amount)
            .map(([gpu, count]) => `${gpu}: ${count}`)
            .join(', ');
  }
  return texts as TermTexts;
}

/**
 * The amounts that the texts request; null: none. Other text than an amount is sent unchanged, so that the server's message
 * about it stands at its field.
 */
export function requestedTerms(texts: Partial<TermTexts>): Record<string, unknown> | null {
  const entries = Object.entries(texts)
    .map(([name, text]) => [name, text.trim()] as const)
    .filter(([, text]) => text !== '')
    .map(([name, text]) => [name, name === 'gpu' ? gpusOf(text) : amountIn(text)] as const);
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

function gpusOf(text: string): unknown {
  if (!/[:=]/.test(text)) return amountIn(text);
  const names = text.split(',').map((part) => {
    const [name = '', count = ''] = part.split(/[:=]/);
    return [name.trim(), amountIn(count.trim())] as const;
  });
  return Object.fromEntries(names);
}

const amountIn = (text: string): number | string => {
  const number = Number(text.replace(/^\$/, ''));
  return text === '' || Number.isNaN(number) ? text : number;
};
