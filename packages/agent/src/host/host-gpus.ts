import { existsSync, readFileSync, realpathSync } from 'node:fs';
import {
  driverOf,
  type FoundGpus,
  parseAmd,
  parseIntel,
  parseNvidia,
  parseTenstorrent,
} from './gpu-parsers.ts';
import { runTool } from './run-tool.ts';

const NONE: FoundGpus = { gpus: [], driver: null };
const WSL_SMI = '/usr/lib/wsl/lib/nvidia-smi';

/**
 * The GPUs, by the vendor's own tool in PATH. Device files identify the vendor. The order matters:
 * a host with an AMD processor's graphics and an NVIDIA card is an NVIDIA host.
 */
export async function findGpus(): Promise<FoundGpus> {
  const tool = nvidiaTool();
  if (tool !== null) return nvidia(tool);
  if (existsSync('/dev/tenstorrent')) return tenstorrent();
  if (existsSync('/dev/kfd')) return amd();
  if (existsSync('/dev/accel')) return intel();
  return NONE;
}

/** Name or path of `nvidia-smi` on a machine with NVIDIA's driver; null on others. */
export function nvidiaTool(): string | null {
  if (existsSync('/dev/nvidiactl')) return 'nvidia-smi';
  return existsSync('/dev/dxg') && existsSync(WSL_SMI) ? WSL_SMI : null;
}

async function nvidia(tool: string): Promise<FoundGpus> {
  const query = '--query-gpu=name,memory.total,uuid,driver_version';
  const text = await runTool(tool, [query, '--format=csv,noheader,nounits']);
  return text === null ? NONE : parseNvidia(text);
}

async function amd(): Promise<FoundGpus> {
  const args = ['static', '--json', '--asic', '--vram', '--bus'];
  // With some drivers the tool fails when their version is requested.
  const text =
    (await runTool('amd-smi', [...args, '--driver'])) ?? (await runTool('amd-smi', args));
  return text === null ? NONE : parseAmd(text, renderNode);
}

async function tenstorrent(): Promise<FoundGpus> {
  const text = await runTool('tt-smi', ['-s']);
  if (text === null) return NONE;
  const version = '/sys/module/tenstorrent/version';
  const driver = existsSync(version) ? driverOf(readFileSync(version, 'utf8')) : null;
  return { gpus: parseTenstorrent(text), driver };
}

async function intel(): Promise<FoundGpus> {
  const query = '--query-aip=name,memory.total,index';
  const text = await runTool('hl-smi', [query, '--format=csv,noheader,nounits']);
  return text === null ? NONE : parseIntel(text);
}

/** Path of the GPU's render node by its PCI address; the address itself if it has none. */
export function renderNode(bdf: string): string {
  const link = `/dev/dri/by-path/pci-${bdf.toLowerCase()}-render`;
  return existsSync(link) ? realpathSync(link) : bdf;
}
