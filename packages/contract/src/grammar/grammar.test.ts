import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ACCELERATOR_VENDORS,
  commonVendor,
  formatCpu,
  formatDuration,
  formatDurationParts,
  formatInstanceResources,
  formatMemory,
  formatPort,
  formatRange,
  formatReference,
  formatResources,
  isGroupName,
  isResourceName,
  KNOWN_GPU_NAMES,
  nearest,
  normalizeMountPath,
  Problem,
  parseCpu,
  parseDuration,
  parseFileMapping,
  parseGpu,
  parseIntRange,
  parseMemory,
  parseMemoryRange,
  parsePort,
  parseReference,
  parseRepo,
  parseUnixUser,
  printGpu,
  type Range,
  vendorOfGpu,
} from './index.ts';

function rangeOf(bound: fc.Arbitrary<number>): fc.Arbitrary<Range> {
  return fc
    .tuple(fc.option(bound), fc.option(bound))
    .filter(([min, max]) => min !== null || max !== null)
    .map(([min, max]) =>
      min !== null && max !== null && min > max ? { min: max, max: min } : { min, max },
    );
}

const counts = rangeOf(fc.integer({ min: 0, max: 4096 }));
// Whole megabytes, the unit of sizes.
const gigabytes = fc.integer({ min: 0, max: 4 * 1024 * 1024 }).map((megabytes) => megabytes / 1024);
const sizes = rangeOf(gigabytes);
const gpuName = fc.constantFrom(...Object.values(KNOWN_GPU_NAMES).flat());

describe('printed values parse back to the same value', () => {
  test('ranges', () => {
    fc.assert(
      fc.property(counts, (range) => {
        expect(parseIntRange(formatRange(range))).toEqual(range);
      }),
    );
  });

  test('memory', () => {
    fc.assert(
      fc.property(gigabytes, (size) => {
        expect(parseMemory(formatMemory(size))).toBe(size);
      }),
    );
  });

  test('ranges of memory', () => {
    fc.assert(
      fc.property(sizes, (range) => {
        expect(parseMemoryRange(formatRange(range, formatMemory))).toEqual(range);
      }),
    );
  });

  test('durations', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 10_000_000 }), (seconds) => {
        expect(parseDuration(formatDuration(seconds))).toBe(seconds);
      }),
    );
  });

  test('CPU requirements', () => {
    fc.assert(
      fc.property(fc.constantFrom('x86', 'arm', null), counts, (arch, count) => {
        expect(parseCpu(formatCpu({ arch, count }))).toEqual({ arch, count });
      }),
    );
  });

  test('GPU requirements', () => {
    const gpu = fc
      .record(
        {
          vendor: fc.constantFrom(...ACCELERATOR_VENDORS),
          name: fc.array(gpuName, { minLength: 1, maxLength: 3 }),
          memory: sizes,
          count: counts,
        },
        { requiredKeys: [] },
      )
      .filter((parts) => Object.keys(parts).length > 0);
    fc.assert(
      fc.property(gpu, (parts) => {
        expect(parseGpu(printGpu(parts))).toEqual(parts);
      }),
    );
  });

  test('the order of the parts of a GPU requirement does not matter', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(['amd', 'MI300X', '192GB', '8'], { minLength: 4 }),
        (parts) => {
          expect(parseGpu(parts.join(':'))).toEqual(parseGpu('amd:MI300X:192GB:8'));
        },
      ),
    );
  });

  test('ports and references', () => {
    const port = fc.integer({ min: 1, max: 65_535 });
    fc.assert(
      fc.property(fc.option(port), port, (local_port, container_port) => {
        expect(parsePort(formatPort({ local_port, container_port }))).toEqual({
          local_port,
          container_port,
        });
      }),
    );
    const word = fc.stringMatching(/^[a-z][a-z0-9-]{1,9}$/);
    fc.assert(
      fc.property(fc.option(word), word, (project, name) => {
        expect(parseReference(formatReference({ project, name }))).toEqual({ project, name });
      }),
    );
  });

  test('no grammar throws, whatever the text', () => {
    const readers = [
      parseCpu,
      parseGpu,
      parseMemoryRange,
      parseDuration,
      parsePort,
      parseRepo,
      parseFileMapping,
      parseUnixUser,
      parseReference,
    ];
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9:.,/@*~-]{0,20}$/));
    fc.assert(
      fc.property(text, (value) => {
        for (const read of readers) read(value);
      }),
    );
  });
});

describe('durations', () => {
  test.each([
    ['600', 600],
    ['-1', -1],
    ['90s', 90],
    ['10m', 600],
    ['2h', 7200],
    ['3 h', 10_800],
    ['1d', 86_400],
    ['2w', 1_209_600],
  ])('%s', (text, seconds) => expect(parseDuration(text)).toBe(seconds));

  test.each(['', '1H', '1.5h', '1h30m', '-1h', ' 1h', '1h ', '1y', 'off', 'h'])(
    '%j is refused',
    (text) => {
      expect(parseDuration(text)).toBeInstanceOf(Problem);
    },
  );

  test.each(['9000000001', '999999999d', '9'.repeat(400), `${'9'.repeat(400)}w`])(
    '%.20s is longer than any deadline may be',
    (text) =>
      expect(parseDuration(text)).toMatchObject({ message: expect.stringContaining('at most') }),
  );

  test('a text of a megabyte is refused as fast as a short one', () => {
    expect(parseDuration('1 '.repeat(500_000))).toBeInstanceOf(Problem);
  });

  test.each([
    ['1h30m', '90m'],
    ['1.5h', '90m'],
    ['2 days', '2d'],
    ['1H', '1h'],
  ])('%s is refused with the right spelling', (text, suggestion) => {
    expect(parseDuration(text)).toMatchObject({ suggestion });
  });

  test.each([
    [300, '5m'],
    [90, '90s'],
    [3600, '1h'],
    [604_800, '1w'],
    [259_200, '3d'],
    [0, '0s'],
  ])('%i seconds are shown as %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  test('idle times are shown in several units', () => {
    expect(formatDurationParts(4545)).toBe('1h 15m 45s');
    expect(formatDurationParts(0)).toBe('0s');
  });
});

describe('memory', () => {
  test.each([
    ['512MB', 0.5],
    ['16 gb', 16],
    ['1.5TB', 1536],
    ['7.5', 7.5],
    ['1e1', 10],
  ])('%s', (text, size) => expect(parseMemory(text)).toBe(size));

  test.each(['16GiB', '16G', '16KB', '', 'GB', '1 2GBx', 'inf', '8GB..'])(
    '%j is refused',
    (text) => {
      expect(parseMemory(text)).toBeInstanceOf(Problem);
    },
  );
});

describe('ranges', () => {
  test.each([
    ['4', { min: 4, max: 4 }],
    ['1 .. 4', { min: 1, max: 4 }],
    ['2..', { min: 2, max: null }],
    ['..8', { min: null, max: 8 }],
  ])('%s', (text, range) => expect(parseIntRange(text)).toEqual(range));

  test.each(['..', '4..2', '1..2..3', '1...2', 'a..b', ''])('%j is refused', (text) => {
    expect(parseIntRange(text)).toBeInstanceOf(Problem);
  });
});

test('accelerators have their vendor, in any case', () => {
  expect(vendorOfGpu('h100')).toBe('nvidia');
  expect(vendorOfGpu('mi300x')).toBe('amd');
  expect(vendorOfGpu('GAUDI2')).toBe('intel');
  expect(vendorOfGpu('N150')).toBe('tenstorrent');
  expect(vendorOfGpu('v5litepod-8')).toBe('google');
  expect(vendorOfGpu('X100')).toBeUndefined();
  expect(commonVendor(['A100', 'H100'])).toBe('nvidia');
  expect(commonVendor(['A100', 'MI300X'])).toBeUndefined();
  expect(commonVendor(['A100', 'X100'])).toBeUndefined();
  expect(commonVendor([])).toBeUndefined();
});

test('requirements and instances are shown as in the tables', () => {
  const requirement = {
    cpu: { arch: null, count: { min: 2, max: null } },
    memory: { min: 8, max: null },
    disk: { size: { min: 100, max: null } },
    gpu: { name: ['H100'], memory: { min: 80, max: 80 }, count: { min: 1, max: 1 } },
  };
  expect(formatResources(requirement)).toBe('cpu=2.. mem=8GB.. disk=100GB.. gpu=H100:80GB:1');
  expect(formatResources({ ...requirement, gpu: null, disk: null })).toBe('cpu=2.. mem=8GB..');
  const machine = {
    cpus: 26,
    cpu_arch: 'x86',
    memory_mib: 196_608,
    disk: { size_mib: 524_288 },
    gpus: [{ name: 'H100', memory_mib: 81_920 }],
  };
  expect(formatInstanceResources(machine)).toBe('cpu=x86:26 mem=192GB disk=512GB gpu=H100:80GB:1');
  expect(
    formatInstanceResources({
      ...machine,
      cpus: 0,
      disk: { size_mib: 0 },
      gpus: [],
      memory_mib: 512,
    }),
  ).toBe('mem=0.5GB');
});

test('names of resources and groups', () => {
  expect(['ab', 'a-1', `a${'b'.repeat(40)}`].every(isResourceName)).toBe(true);
  expect(['a', '1a', 'Ab', '-a', 'a_b', `a${'b'.repeat(41)}`].some(isResourceName)).toBe(false);
  expect(['0', 'a', 'a-1'].every(isGroupName)).toBe(true);
  expect(['', '-a', 'A', 'x'.repeat(41)].some(isGroupName)).toBe(false);
});

describe('paths', () => {
  test.each([
    ['/data/', '/data'],
    ['/a//b/./c', '/a/b/c'],
    ['//srv/x', '//srv/x'],
    ['///x', '/x'],
    ['/', '/'],
  ])('%s is normalised', (path, expected) => expect(normalizeMountPath(path)).toBe(expected));

  test.each(['', 'data', './x', '/a/../b', '/..'])('%j is refused', (path) => {
    expect(normalizeMountPath(path)).toBeInstanceOf(Problem);
  });
});

test('URLs and local paths of repositories are distinguished', () => {
  expect(parseRepo('git@github.com:o/r.git:code')).toEqual({
    url: 'git@github.com:o/r.git',
    path: 'code',
  });
  expect(parseRepo('https://github.com/o/r')).toEqual({ url: 'https://github.com/o/r' });
  expect(parseRepo('C:\\work:/code')).toEqual({ local_path: 'C:\\work', path: '/code' });
  expect(parseRepo('..')).toEqual({ local_path: '..' });
  expect(parseRepo('https://host:8443/x.git:/src')).toEqual({
    url: 'https://host:8443/x.git',
    path: '/src',
  });
  expect(parseRepo('a:b:c')).toBeInstanceOf(Problem);
});

describe('did you mean', () => {
  const words = ['commands', 'max_duration', 'max_price', 'gpu', 'type', 'spot_policy'];
  test.each([
    ['comands', 'commands'],
    ['maxPrice', 'max_price'],
    ['max_dur', 'max_duration'],
    ['gpus', 'gpu'],
    ['spot-policy', 'spot_policy'],
    ['fstype', undefined],
    ['banana', undefined],
  ])('%s', (word, expected) => expect(nearest(word, words)).toBe(expected));
});
