/** Generic resources of a node: `gpu:h100:2`, `gpu:2`, `gpu:h100:8(S:0-1)`, `gpu:h100:1(IDX:0)`. */
export interface Gres {
  readonly name: string;
  /** Empty if the administrator has not named it. */
  readonly type: string;
  readonly count: number;
}

const SCALES: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** Parts in parentheses (sockets, indexes) are left out; entries of another form too. */
export function parseGres(text: string): readonly Gres[] {
  return text
    .replace(/\([^()]*\)/g, '')
    .split(',')
    .flatMap((entry) => {
      const parts = entry.trim().split(':');
      const [, digits, unit = ''] = /^(\d{1,9})([KMG]?)$/.exec(parts.at(-1) ?? '') ?? [];
      if (digits === undefined || parts.length < 2 || parts.length > 3) return [];
      const [name = '', type = ''] = parts.slice(0, -1);
      return [{ name, type, count: Number(digits) * (SCALES[unit] ?? 1) }];
    });
}

/** One entry per name and type: a node may list those of each socket by themselves. */
export function addedGres(list: readonly Gres[]): readonly Gres[] {
  const sums = new Map<string, Gres>();
  for (const gres of list) {
    const key = `${gres.name}:${gres.type}`;
    const { count = 0 } = sums.get(key) ?? {};
    sums.set(key, { ...gres, count: count + gres.count });
  }
  return [...sums.values()];
}
