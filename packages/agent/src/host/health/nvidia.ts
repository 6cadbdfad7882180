/** Health of NVIDIA GPUs by `nvidia-smi`. */
import type { HostGpu } from '@dstack/contract/agent';
import { runToolFully, type ToolOutput } from '../run-tool.ts';
import { type CheckFinding, combine } from './check.ts';
import { lostFinding, lostGpus } from './lost-gpus.ts';

const BASE = ['index', 'uuid', 'pci.bus_id', 'temperature.gpu'] as const;
const MEMORY = ['ecc.errors.uncorrected.volatile.total', 'retired_pages.pending'] as const;
const ROWS = ['remapped_rows.pending', 'remapped_rows.failure'] as const;

/** The sets of fields to query, largest first: older drivers refuse unknown fields. */
export const QUERIES: readonly (readonly string[])[] = [
  [...BASE, ...MEMORY, ...ROWS],
  [...BASE, ...MEMORY],
  BASE,
];

/** Printed instead of a value: the GPU has left the bus, or does not work until it is reset. */
const UNUSABLE = /^\[(gpu is lost|gpu requires reset)\.?\]$/i;
const UNREADABLE = /^\[unknown error\]$/i;
const NO_HANDLE = /Unable to determine the device handle for GPU\s*([0-9a-f:.]+): *([^.\n]*)/gi;
const UNKNOWN_FIELD = /is not a valid field to query/i;

/** Whether the driver does not support one of the fields. */
export function refusesFields({ stdout, stderr }: ToolOutput): boolean {
  return UNKNOWN_FIELD.test(stdout + stderr);
}

/** `output`: of `--query-gpu=<fields> --format=csv,noheader,nounits`. Throws for any other. */
export function nvidiaHealth(
  output: ToolOutput,
  fields: readonly string[],
  expected: readonly HostGpu[],
): CheckFinding {
  const text = output.stdout + output.stderr;
  const lost = [...text.matchAll(NO_HANDLE)].map(([, bus, why]) => `GPU ${bus} (${why})`);
  // In this case the tool prints nothing about the other GPUs.
  if (lost.length > 0) return lostFinding(lost, Math.max(expected.length, lost.length));
  const rows = output.stdout.split('\n').flatMap((line) => rowOf(line, fields));
  if (rows.length === 0 && output.code !== 0) {
    const message = `nvidia-smi fails: ${firstLine(text)}; restart the host if its driver was updated`;
    return { status: 'failure', message };
  }
  if (rows.length === 0 && output.stdout.trim() !== '') {
    throw new Error('nvidia-smi prints other columns than it was asked for');
  }
  const ids = rows.map((row) => row.uuid ?? '');
  return combine([...lostGpus(expected, ids), ...rows.flatMap(gpuFindings)]);
}

type Row = Readonly<Record<string, string>>;

function rowOf(line: string, fields: readonly string[]): Row[] {
  const values = line.split(',').map((value) => value.trim());
  if (values.length !== fields.length) return [];
  return [Object.fromEntries(fields.map((field, index) => [field, values[index] ?? '']))];
}

function gpuFindings(row: Row): CheckFinding[] {
  const name = `GPU ${row.index} (${row.uuid})`;
  const unusable = Object.values(row).flatMap((value) => UNUSABLE.exec(value)?.[1] ?? []);
  if (unusable.length > 0) {
    const message = `${name}: ${unusable[0]}; reset the GPU or restart the host`;
    return [{ status: 'failure', message }];
  }
  const found: CheckFinding[] = [];
  if (UNREADABLE.test(row['temperature.gpu'] ?? '')) {
    found.push({ status: 'warning', message: `${name} does not report its state` });
  }
  if (row['remapped_rows.failure'] === 'Yes') {
    const message = `${name} has no spare memory rows left for defective ones; have it replaced`;
    found.push({ status: 'failure', message });
  }
  if (row['remapped_rows.pending'] === 'Yes' || row['retired_pages.pending'] === 'Yes') {
    const message = `${name} will replace defective memory at its next reset; reset it when it is free`;
    found.push({ status: 'warning', message });
  }
  const errors = Number(row['ecc.errors.uncorrected.volatile.total']);
  if (errors > 0) {
    const message = `${name} has had uncorrected memory errors (ECC) since its driver was loaded`;
    found.push({ status: 'warning', message });
  }
  return found;
}

function firstLine(text: string): string {
  return text.split('\n').find((line) => line.trim() !== '') ?? 'it prints nothing';
}

/** `tool`: name or path of `nvidia-smi`. */
export function nvidiaRun(tool: string, expected: readonly HostGpu[]): () => Promise<CheckFinding> {
  let known = 0;
  return async () => {
    for (;;) {
      const fields = QUERIES[known] ?? BASE;
      const format = '--format=csv,noheader,nounits';
      const output = await runToolFully(tool, [`--query-gpu=${fields.join(',')}`, format]);
      if (output.kind === 'missing') throw new Error(`${tool} was not found`);
      if (output.kind === 'timeout') throw new Error(`${tool} does not end`);
      if (refusesFields(output) && known < QUERIES.length - 1) known += 1;
      else return nvidiaHealth(output, fields, expected);
    }
  };
}
