import { describe, expect, it } from 'vitest';
import { amdName, intelName, nvidiaName } from './gpu-names.ts';
import { driverOf, parseAmd, parseIntel, parseNvidia, parseTenstorrent } from './gpu-parsers.ts';

describe('names', () => {
  it.each([
    ['NVIDIA A100-SXM4-80GB', 'A100'],
    ['NVIDIA H100 80GB HBM3', 'H100'],
    ['NVIDIA H100 NVL', 'H100NVL'],
    ['NVIDIA GH200 480GB', 'GH200'],
    ['Tesla T4', 'T4'],
    ['Tesla V100-SXM2-16GB', 'V100'],
    ['Quadro P4000', 'P4000'],
    ['NVIDIA RTX A6000', 'A6000'],
    ['NVIDIA GeForce RTX 4090', 'RTX4090'],
    ['NVIDIA GeForce RTX 3080 Ti', 'RTX3080Ti'],
    ['NVIDIA GeForce RTX 4070 SUPER', 'RTX4070SUPER'],
    ['NVIDIA RTX 6000 Ada Generation', 'RTX6000Ada'],
    ['NVIDIA L40S', 'L40S'],
  ])('shortens %s to %s', (raw, name) => expect(nvidiaName(raw)).toBe(name));

  it.each([
    ['AMD Instinct MI300X', 'MI300X'],
    ['MI300X-O', 'MI300X'],
    ['Instinct MI210', 'MI210'],
  ])('shortens %s to %s', (raw, name) => expect(amdName(raw)).toBe(name));

  it.each([
    ['HL-205', 'Gaudi'],
    ['HL-225B', 'Gaudi2'],
    ['HL-338', 'Gaudi3'],
  ])('knows %s as %s', (raw, name) => expect(intelName(raw)).toBe(name));
});

describe('output of the tools', () => {
  it('reads nvidia-smi', () => {
    const text = 'NVIDIA A10G, 23028, GPU-1, 550.54\nNVIDIA A10G, 23028, GPU-2, 550.54\n';
    expect(parseNvidia(text)).toEqual({
      gpus: [
        { vendor: 'nvidia', name: 'A10G', memory_mib: 23028, id: 'GPU-1' },
        { vendor: 'nvidia', name: 'A10G', memory_mib: 23028, id: 'GPU-2' },
      ],
      driver: '550.54',
    });
  });

  it('reads hl-smi', () => {
    expect(parseIntel('HL-225, 98304, 0\n').gpus).toEqual([
      { vendor: 'intel', name: 'Gaudi2', memory_mib: 98304, id: '0' },
    ]);
  });

  it('reads amd-smi in both of its shapes', () => {
    const card = {
      asic: { market_name: 'AMD Instinct MI300X' },
      vram: { size: { value: 196592 } },
      bus: { bdf: '0000:05:00.0' },
      driver: { version: '6.8' },
    };
    const found = {
      gpus: [{ vendor: 'amd', name: 'MI300X', memory_mib: 196592, id: 'node 0000:05:00.0' }],
      driver: '6.8',
    };
    const node = (bdf: string): string => `node ${bdf}`;
    expect(parseAmd(JSON.stringify([card]), node)).toEqual(found);
    expect(parseAmd(JSON.stringify({ gpu_data: [card] }), node)).toEqual(found);
  });

  it('makes one GPU of the chips of a card', () => {
    const device = (board_type: string, board_id: string, bus_id: string) => ({
      board_info: { board_type, board_id, bus_id },
    });
    const text = JSON.stringify({
      device_info: [
        device('n300 L', 'b1', '0000:01:00.0'),
        device('n300 R', 'b1', 'N/A'),
        device('p150b', 'b2', '0000:02:00.0'),
        device('p300', 'b3', '0000:03:00.0'),
        device('p300', 'b3', 'N/A'),
      ],
    });
    expect(
      parseTenstorrent(text).map(({ name, memory_mib, id }) => [name, memory_mib, id]),
    ).toEqual([
      ['n300', 24_576, '0'],
      ['p150', 32_768, '1'],
      ['p300', 65_536, '2'],
    ]);
  });

  it.each(['N/A', '[Not Supported]', 'Unknown', '', undefined])('takes %s for no driver', (text) =>
    expect(driverOf(text)).toBeNull(),
  );
});
