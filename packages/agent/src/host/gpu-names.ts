/** Names of GPUs in offers and plans, by the rules of dstack 0.22.5. */

const NVIDIA_DROPPED = /NVIDIA |Tesla |Quadro |GeForce /g;

export function nvidiaName(raw: string): string {
  if (raw.includes('GH200')) return 'GH200';
  const name = raw
    .replace(NVIDIA_DROPPED, '')
    .replace(/RTX A(\d)/, 'A$1')
    .replace(' Ti', 'Ti')
    .replace(' SUPER', 'SUPER')
    .replace(' NVL', 'NVL')
    .replace(' Ada Generation', 'Ada')
    .replace('RTX ', 'RTX');
  return /[AHLPTV]\d+\w*/.exec(name)?.[0] ?? name.replaceAll(' ', '');
}

export function amdName(raw: string): string {
  const model = /(?:AMD )?(?:Instinct )?(MI\d{1,3}[A-Z]?(?:-\w+)?)/.exec(raw)?.[1] ?? raw;
  return model === 'MI300X-O' ? 'MI300X' : model;
}

export function intelName(raw: string): string {
  if (raw.startsWith('HL-205')) return 'Gaudi';
  if (raw.startsWith('HL-225')) return 'Gaudi2';
  if (raw.startsWith('HL-325') || raw.startsWith('HL-338')) return 'Gaudi3';
  return raw;
}

/** Card type (`p150b`) to product. */
export function tenstorrentName(board: string): string {
  if (board === 'p100' || board === 'bh-scrappy') return 'p100a';
  if (board.startsWith('p150')) return 'p150';
  return board.startsWith('p300') ? 'p300' : board;
}
