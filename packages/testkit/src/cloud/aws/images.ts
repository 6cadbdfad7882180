/** The images that moto knows: few, so that it starts quickly. Names and owners as at AWS. */
const IMAGES = [
  {
    name: 'ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260601',
    ...{ owner_id: '099720109477', ami_id: 'ami-00000000000000024', architecture: 'x86_64' },
    creation_date: '2026-06-01T00:00:00.000Z',
  },
  {
    name: 'ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260701',
    ...{ owner_id: '099720109477', ami_id: 'ami-00000000000000025', architecture: 'x86_64' },
    creation_date: '2026-07-01T00:00:00.000Z',
  },
  {
    name: 'ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20260701',
    ...{ owner_id: '099720109477', ami_id: 'ami-00000000000000026', architecture: 'arm64' },
    creation_date: '2026-07-01T00:00:00.000Z',
  },
  {
    name: 'Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20260701',
    ...{ owner_id: '898082745236', ami_id: 'ami-00000000000000070', architecture: 'x86_64' },
    creation_date: '2026-07-01T00:00:00.000Z',
  },
  {
    name: 'dstack-0.14',
    ...{ owner_id: '142421590066', ami_id: 'ami-00000000000000014', architecture: 'x86_64' },
    creation_date: '2026-01-01T00:00:00.000Z',
  },
];

/** The contents of the file that `MOTO_AMIS_PATH` names. */
export function motoImages(): string {
  const common = {
    ...{ description: '', hypervisor: 'xen', image_location: '', image_type: 'machine' },
    ...{ platform: null, public: true, root_device_name: '/dev/sda1', root_device_type: 'ebs' },
    ...{ sriov: 'simple', state: 'available', virtualization_type: 'hvm' },
  };
  return JSON.stringify(IMAGES.map((image) => ({ ...common, ...image })));
}
