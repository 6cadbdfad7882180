import { Problem, quote } from './problem.ts';
import { formatRange, parseIntRange, type Range } from './range.ts';

export const CPU_ARCHITECTURES = ['x86', 'arm'] as const;
export type CpuArchitectureName = (typeof CPU_ARCHITECTURES)[number];

/** `count` undefined = not written, so the default applies. */
export interface ParsedCpu {
  readonly arch: CpuArchitectureName | null;
  readonly count?: Range;
}

const EXAMPLES = "like '4', '4..8', 'arm:4..'";

export function cpuArchitectureFromText(text: string): CpuArchitectureName | undefined {
  const name = text.toLowerCase();
  return CPU_ARCHITECTURES.find((arch) => arch === name);
}

/** Parses `[arch:]count` with its parts in any order: `4`, `4..`, `arm:4..8`, `x86`. */
export function parseCpu(text: string): ParsedCpu | Problem {
  let arch: CpuArchitectureName | null = null;
  let count: Range | undefined;
  for (const token of text.replace(/\s+/g, '').split(':')) {
    if (token === '')
      return new Problem(`has an empty part in ${quote(text)}: write it ${EXAMPLES}`);
    if (token.includes('..') || /^\d+$/.test(token)) {
      if (count) return new Problem(`has two counts in ${quote(text)}: write a range like '2..4'`);
      const range = parseIntRange(token);
      if (range instanceof Problem) return range;
      count = range;
    } else {
      if (arch) return new Problem(`has two architectures in ${quote(text)}: keep one of x86, arm`);
      const found = cpuArchitectureFromText(token);
      if (!found) return unknownArchitecture(token);
      arch = found;
    }
  }
  return count ? { arch, count } : { arch };
}

export function unknownArchitecture(text: string): Problem {
  const other = { arm64: 'arm', aarch64: 'arm', amd64: 'x86', x86_64: 'x86', x64: 'x86' }[
    text.toLowerCase()
  ];
  return new Problem(
    `must be a count of CPUs and/or an architecture (x86, arm) ${EXAMPLES}, got ${quote(text)}`,
    other ? { suggestion: other } : {},
  );
}

/** `arm:4..8`, `2..`: a CPU requirement as `parseCpu` reads it. */
export function formatCpu(cpu: { readonly arch: string | null; readonly count: Range }): string {
  return cpu.arch ? `${cpu.arch}:${formatRange(cpu.count)}` : formatRange(cpu.count);
}
