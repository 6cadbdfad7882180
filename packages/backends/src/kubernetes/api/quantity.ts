const FACTORS: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/** `500m`, `2Gi`, `1e3`; 0 for anything else. */
export function quantity(text: string | undefined): number {
  const [, digits, unit = ''] =
    /^([+-]?\d{0,40}\.?\d{0,40}(?:[eE][+-]?\d{1,3})?)([A-Za-z]{0,2})$/.exec(text ?? '') ?? [];
  const factor = FACTORS[unit];
  const value = Number(digits);
  return digits && factor !== undefined && Number.isFinite(value) ? value * factor : 0;
}
