import { InvalidArgumentError, Option } from 'commander';

/** Collects a repeatable option. */
export function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** A whole number between `min` and `max`. */
export function integerOption(
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): (value: string) => number {
  return (value) => {
    const n = Number(value);
    if (!/^-?\d+$/.test(value) || n < min || n > max) {
      const upper = max === Number.MAX_SAFE_INTEGER ? ' or more' : `..${max}`;
      throw new InvalidArgumentError(`Expected a whole number, ${min}${upper}.`);
    }
    return n;
  };
}

export function numberOption(value: string): number {
  const n = Number(value);
  if (value.trim() === '' || !Number.isFinite(n)) throw new InvalidArgumentError('Not a number.');
  return n;
}

/** The spelling of dstack 0.22.5, which `--json` and `--output` replace. */
export function olderFormatOption(): Option {
  return new Option('--format <format>', 'as --output').choices(['plain', 'json']).hideHelp();
}
