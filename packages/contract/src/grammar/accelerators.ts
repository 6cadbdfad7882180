/** Vendors of accelerators, as the API spells them. */
export const ACCELERATOR_VENDORS = ['nvidia', 'amd', 'google', 'intel', 'tenstorrent'] as const;
export type AcceleratorVendorName = (typeof ACCELERATOR_VENDORS)[number];

const VENDOR_ALIASES: Readonly<Record<string, AcceleratorVendorName>> = {
  tpu: 'google',
  tt: 'tenstorrent',
};

/** Vendor for a name or alias in any case (`NVIDIA`, `tpu`, `tt`). */
export function vendorFromText(text: string): AcceleratorVendorName | undefined {
  const name = text.toLowerCase();
  return ACCELERATOR_VENDORS.find((vendor) => vendor === name) ?? VENDOR_ALIASES[name];
}

/** Accelerators that dstack 0.22.5 has by name, in its spelling; TPUs follow a pattern instead. */
export const KNOWN_GPU_NAMES: Readonly<
  Record<Exclude<AcceleratorVendorName, 'google'>, readonly string[]>
> = {
  nvidia: words(`A10 A16 A40 A100 A10G A4000 A4500 A5000 A6000 H100 H100NVL H200 H200NVL B200 GB200
    B300 GB300 L4 L40 L40S P100 T4 V100 GH200 RTX2060 RTX2060SUPER RTX2070 RTX2070SUPER RTX2080
    RTX2080SUPER RTX2080Ti RTX3050 RTX3060 RTX3060Ti RTX3070 RTX3070Ti RTX3080 RTX3080Ti RTX3090
    RTX3090Ti RTX4060 RTX4060Ti RTX4070 RTX4070SUPER RTX4070Ti RTX4070TiSUPER RTX4080 RTX4080SUPER
    RTX4090 RTX5060 RTX5060Ti RTX5070 RTX5070Ti RTX5080 RTX5090 RTX6000 RTX2000Ada RTX4000Ada
    RTX6000Ada RTXPRO4500 RTXPRO6000`),
  amd: words('MI100 MI210 MI250 MI250X MI300A MI300X MI308X MI325X MI350X MI355X'),
  intel: words('Gaudi Gaudi2 Gaudi3'),
  tenstorrent: words('n150 n300 p100a p150 p300 tt-galaxy-wh tt-galaxy-bh'),
};

/** The accelerators of all vendors. */
export const ALL_GPU_NAMES: readonly string[] = Object.values(KNOWN_GPU_NAMES).flat();

const TPU_NAME = /^(?:v2|v3|v4|v5p|v5litepod|v6e)-\d+$/;

/** Vendor of a known accelerator, name in any case; undefined for an unknown name. */
export function vendorOfGpu(name: string): AcceleratorVendorName | undefined {
  const wanted = name.toLowerCase();
  if (TPU_NAME.test(wanted)) return 'google';
  for (const vendor of ['nvidia', 'amd', 'intel', 'tenstorrent'] as const) {
    if (KNOWN_GPU_NAMES[vendor].some((known) => known.toLowerCase() === wanted)) return vendor;
  }
  return undefined;
}

/**
 * The one vendor that makes all these accelerators; undefined if a name is unknown or they differ.
 */
export function commonVendor(names: readonly string[]): AcceleratorVendorName | undefined {
  const vendors = new Set(names.map(vendorOfGpu));
  const [vendor] = vendors;
  return vendors.size === 1 ? vendor : undefined;
}

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
