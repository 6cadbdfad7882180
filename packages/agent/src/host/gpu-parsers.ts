import type { HostGpu } from '@dstack/contract/agent';
import { amdName, intelName, nvidiaName, tenstorrentName } from './gpu-names.ts';

export interface FoundGpus {
  readonly gpus: readonly HostGpu[];
  readonly driver: string | null;
}

const PLACEHOLDER = /^(n\/?a|\[?not supported\]?|unknown|none)?$/i;

/** `nvidia-smi --query-gpu=name,memory.total,uuid,driver_version --format=csv,noheader,nounits`. */
export function parseNvidia(text: string): FoundGpus {
  const rows = csv(text);
  return {
    gpus: rows.map(([name = '', memory, id = '']) => ({
      vendor: 'nvidia',
      name: nvidiaName(name),
      memory_mib: Number(memory) || 0,
      id,
    })),
    driver: driverOf(rows[0]?.[3]),
  };
}

/** `hl-smi --query-aip=name,memory.total,index --format=csv,noheader,nounits`. */
export function parseIntel(text: string): FoundGpus {
  const gpus = csv(text).map(([name = '', memory, id = '']): HostGpu => {
    return { vendor: 'intel', name: intelName(name), memory_mib: Number(memory) || 0, id };
  });
  return { gpus, driver: null };
}

interface AmdCard {
  readonly asic?: { readonly market_name?: string };
  readonly vram?: { readonly size?: { readonly value?: number } };
  readonly bus?: { readonly bdf?: string };
  readonly driver?: { readonly version?: string; readonly driver_version?: string };
}

/**
 * `amd-smi static --json …`; `renderNode` turns a PCI address into the path of its render node.
 */
export function parseAmd(text: string, renderNode: (bdf: string) => string): FoundGpus {
  const parsed: AmdCard[] | { gpu_data: AmdCard[] } = JSON.parse(text);
  const cards = Array.isArray(parsed) ? parsed : parsed.gpu_data;
  return {
    gpus: cards.map((card) => ({
      vendor: 'amd',
      name: amdName(card.asic?.market_name ?? ''),
      memory_mib: card.vram?.size?.value ?? 0,
      id: renderNode(card.bus?.bdf ?? ''),
    })),
    driver: driverOf(cards[0]?.driver?.version ?? cards[0]?.driver?.driver_version),
  };
}

interface TenstorrentBoard {
  readonly board_type: string;
  readonly board_id: string;
  readonly bus_id: string;
}

const WORMHOLE_MIB = 12_288;
const TENSTORRENT_MIB: Readonly<Record<string, number>> = {
  p100a: 28_672,
  p150: 32_768,
  p300: 32_768,
  'tt-galaxy-bh': 32_768,
};

/**
 * `tt-smi -s`. Several chips of one card are one GPU: ` L` and ` R` halves, chips of a Wormhole
 * card with the same id, and the remote chip of a Blackhole card (`bus_id` `N/A`).
 */
export function parseTenstorrent(text: string): readonly HostGpu[] {
  const devices: { board_info: TenstorrentBoard }[] = JSON.parse(text).device_info ?? [];
  const boards: { name: string; memory: number; id: string }[] = [];
  for (const { board_info: board } of devices) {
    const name = tenstorrentName(board.board_type.replace(/ [LR]$/, '').trim());
    const memory = TENSTORRENT_MIB[name] ?? WORMHOLE_MIB;
    const joins =
      board.board_type.endsWith(' R') || board.bus_id === 'N/A' || memory === WORMHOLE_MIB;
    const known = joins ? boards.find((each) => each.id === board.board_id) : undefined;
    if (known) known.memory += memory;
    else boards.push({ name, memory, id: board.board_id });
  }
  return boards.map(({ name, memory }, index) => {
    return { vendor: 'tenstorrent', name, memory_mib: memory, id: String(index) };
  });
}

/** Placeholders that a tool prints for an unknown driver version become null. */
export function driverOf(text: string | undefined): string | null {
  const trimmed = text?.trim() ?? '';
  return PLACEHOLDER.test(trimmed) ? null : trimmed;
}

function csv(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.split(',').map((field) => field.trim()));
}
