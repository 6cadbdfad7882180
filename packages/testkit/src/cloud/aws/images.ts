/** Names and owners as at AWS. */
const UBUNTU = 'ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04';
const DEEP_LEARNING = 'Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04)';
const [CANONICAL, AMAZON, DSTACK] = ['099720109477', '898082745236', '142421590066'];

/**
 * The images that moto knows, few, so that it starts quickly: the last digits of the id, the month of 2026 in
 * which it was made, and the owner.
 */
const IMAGES = [
  ['24', '06', CANONICAL, 'x86_64', `${UBUNTU}-amd64-server-20260601`],
  ['25', '07', CANONICAL, 'x86_64', `${UBUNTU}-amd64-server-20260701`],
  ['26', '07', CANONICAL, 'arm64', `${UBUNTU}-arm64-server-20260701`],
  ['70', '07', AMAZON, 'x86_64', `${DEEP_LEARNING} 20260701`],
  ['14', '01', DSTACK, 'x86_64', 'dstack-0.14'],
] as const;

/** The contents of the file that `MOTO_AMIS_PATH` names. */
export function motoImages(): string {
  const common = {
    ...{ description: '', hypervisor: 'xen', image_location: '', image_type: 'machine' },
    ...{ platform: null, public: true, root_device_name: '/dev/sda1', root_device_type: 'ebs' },
    ...{ sriov: 'simple', state: 'available', virtualization_type: 'hvm' },
  };
  const images = IMAGES.map(([digits, month, owner_id, architecture, name]) => ({
    ...{ ...common, name, owner_id, architecture },
    ami_id: `ami-000000000000000${digits}`,
    creation_date: `2026-${month}-01T00:00:00.000Z`,
  }));
  return JSON.stringify(images);
}
