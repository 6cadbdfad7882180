import { type AcceleratorVendorName, vendorFromText } from './accelerators.ts';
import { formatGigabytes, formatMemory, parseMemoryRange } from './memory.ts';
import { Problem, quote } from './problem.ts';
import { formatRange, parseIntRange, type Range } from './range.ts';

/** A GPU requirement as written; parts that are not written are omitted. */
export interface ParsedGpu {
  vendor?: AcceleratorVendorName;
  name?: string[];
  memory?: Range;
  count?: Range;
}

const EXAMPLES = "like 'H100', 'A100:80GB:2', '24GB..', 'amd:1..4'";

/** Reads `[vendor:][names][:memory][:count]` with its parts in any order, each once at most. */
export function parseGpu(text: string): ParsedGpu | Problem {
  const gpu: ParsedGpu = {};
  for (const token of text.replace(/\s+/g, '').split(':')) {
    const problem = readToken(gpu, token, text);
    if (problem) return problem;
  }
  return gpu;
}

function readToken(gpu: ParsedGpu, token: string, text: string): Problem | undefined {
  if (token === '') return new Problem(`has an empty part in ${quote(text)}: write it ${EXAMPLES}`);
  const vendor = vendorFromText(token);
  if (vendor) {
    if (gpu.vendor) return twice('vendors', text, 'keep one');
    gpu.vendor = vendor;
    return undefined;
  }
  if (/^\p{L}/u.test(token)) {
    if (gpu.name) return twice('names', text, "separate names with commas: 'A100,H100'");
    gpu.name = token.split(',');
    return gpu.name.includes('') ? new Problem(`has an empty name in ${quote(text)}`) : undefined;
  }
  if (/\p{L}/u.test(token)) {
    if (gpu.memory) return twice('amounts of memory', text, "write a range: '40GB..80GB'");
    const memory = parseMemoryRange(token);
    if (memory instanceof Problem) return memory;
    gpu.memory = memory;
    return undefined;
  }
  if (gpu.count) return twice('counts', text, "write a range: '1..4'");
  const count = parseIntRange(token);
  if (count instanceof Problem) {
    if (/^[\d.]+$/.test(token)) return count;
    return new Problem(
      `must be a GPU requirement ${EXAMPLES}, got ${quote(token)} in ${quote(text)}`,
    );
  }
  gpu.count = count;
  return undefined;
}

function twice(what: string, text: string, fix: string): Problem {
  return new Problem(`has two ${what} in ${quote(text)}: ${fix}`);
}

/** The parts of a GPU requirement that are shown to users. */
export interface GpuParts {
  readonly vendor?: string | null;
  readonly name?: readonly string[] | null;
  readonly count?: Range | null;
  readonly memory?: Range | null;
  readonly total_memory?: Range | null;
  readonly compute_capability?: readonly number[] | null;
}

/**
 * GPU requirement as shown in tables: `H100:80GB:1`, `nvidia:24GB..:1..`; unset parts are skipped.
 * Empty if nothing is set.
 */
export function formatGpu(gpu: GpuParts): string {
  const bound = formatGigabytes;
  const parts: string[] = [];
  if (gpu.name?.length) parts.push(gpu.name.join(','));
  else if (gpu.vendor) parts.push(gpu.vendor);
  if (gpu.memory) parts.push(formatRange(gpu.memory, bound));
  if (gpu.count) parts.push(formatRange(gpu.count));
  if (gpu.total_memory) parts.push(formatRange(gpu.total_memory, bound));
  if (gpu.compute_capability) parts.push(gpu.compute_capability.join('.'));
  return parts.join(':');
}

/** A requirement as `parseGpu` reads it back, with vendor and names. */
export function printGpu(gpu: ParsedGpu): string {
  const parts: string[] = [];
  if (gpu.vendor) parts.push(gpu.vendor);
  if (gpu.name) parts.push(gpu.name.join(','));
  if (gpu.memory) parts.push(formatRange(gpu.memory, formatMemory));
  if (gpu.count) parts.push(formatRange(gpu.count));
  return parts.join(':');
}
