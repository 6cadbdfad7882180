/** Random numbers of the distributions that traces are made of. */
import { Random } from '@dstack/testkit/random';

export class TraceRandom extends Random {
  /** Small seeds next to each other are spread first. */
  constructor(seed: number) {
    super(seed * 2_654_435_761);
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** Standard normal: Box–Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return radius * Math.cos(2 * Math.PI * this.next());
  }

  /** Marsaglia–Tsang; mean `shape` × `scale`. */
  gamma(shape: number, scale: number): number {
    if (shape < 1) return this.gamma(shape + 1, scale) * this.next() ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      const u = this.next();
      if (Math.log(1 - u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v * scale;
    }
  }

  /** How many failures come before the first success of probability `p`. */
  geometric(p: number): number {
    return Math.floor(Math.log(1 - this.next()) / Math.log(1 - p));
  }

  /** One of these, by weights that need not sum to 1. */
  choice<T>(choices: readonly (readonly [T, number])[]): T {
    const total = choices.reduce((sum, [, weight]) => sum + weight, 0);
    let left = this.next() * total;
    for (const [value, weight] of choices) {
      left -= weight;
      if (left < 0) return value;
    }
    const last = choices.at(-1);
    if (!last) throw new Error('nothing to choose from');
    return last[0];
  }
}
