/** Health of AMD GPUs by `amd-smi`. */
import type { HostGpu } from '@dstack/contract/agent';
import { renderNode } from '../host-gpus.ts';
import { runTool } from '../run-tool.ts';
import { type CheckFinding, combine } from './check.ts';
import { lostGpus } from './lost-gpus.ts';

/** Output of the tool; null: the command does not exist, or not for this driver. */
export interface AmdOutputs {
  /** `list --json` */
  readonly list: string;
  /** `metric --ecc --json` */
  readonly ecc: string | null;
  /** `bad-pages --json` */
  readonly badPages: string | null;
}

interface AmdGpu {
  readonly gpu?: number;
  readonly bdf?: string;
  readonly ecc?: { readonly total_uncorrectable_count?: unknown };
  /** `No bad pages found.`, `N/A`, or the pages found. */
  readonly pending?: unknown;
}

/** `idOf` turns a PCI address into the id of a GPU in the host's facts. Throws for other output. */
export function amdHealth(
  { list, ecc, badPages }: AmdOutputs,
  expected: readonly HostGpu[],
  idOf: (bdf: string) => string,
): CheckFinding {
  const ids = gpusOf(list).map(({ bdf }) => {
    if (typeof bdf !== 'string') throw new Error('amd-smi lists GPUs without their addresses');
    return idOf(bdf);
  });
  const errors = gpusOf(ecc).filter((one) => Number(one.ecc?.total_uncorrectable_count) > 0);
  const pending = gpusOf(badPages).filter((one) => isFilled(one.pending));
  return combine([
    ...lostGpus(expected, ids),
    ...errors.map(({ gpu }) => warning(`GPU ${gpu} has had uncorrected memory errors (ECC)`)),
    ...pending.map(({ gpu }) =>
      warning(
        `GPU ${gpu} will retire defective memory at its next reset; reset it when it is free`,
      ),
    ),
  ]);
}

/** One page, or a list of pages. */
const isFilled = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length > 0;

const warning = (message: string): CheckFinding => ({ status: 'warning', message });

/** Newer versions wrap the list. */
function gpusOf(text: string | null): readonly AmdGpu[] {
  if (text === null) return [];
  const parsed: unknown = JSON.parse(text);
  const list = Array.isArray(parsed) ? parsed : (parsed as { gpu_data?: unknown }).gpu_data;
  return Array.isArray(list) ? list.filter((one) => typeof one === 'object' && one !== null) : [];
}

export function amdRun(expected: readonly HostGpu[]): () => Promise<CheckFinding> {
  return async () => {
    const list = await runTool('amd-smi', ['list', '--json']);
    if (list === null) throw new Error('amd-smi fails, or does not end');
    const ecc = await runTool('amd-smi', ['metric', '--ecc', '--json']);
    const badPages = await runTool('amd-smi', ['bad-pages', '--json']);
    return amdHealth({ list, ecc, badPages }, expected, renderNode);
  };
}
