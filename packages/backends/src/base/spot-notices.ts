/** Where machines of providers find that they are taken back; adapters name theirs in `InstancePort.notices`. */
import type { NoticeSource } from '@dstack/contract/agent';

const METADATA = 'http://169.254.169.254';

/** Two minutes before; the address needs a session token (version 2 of the metadata service). */
export const EC2_SPOT_NOTICE: NoticeSource = {
  url: `${METADATA}/latest/meta-data/spot/instance-action`,
  headers: {},
  token: {
    url: `${METADATA}/latest/api/token`,
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '21600' },
    header: 'x-aws-ec2-metadata-token',
  },
  ...{ interval_secs: 5, leaves_secs: 120 },
  ...{ equals: null, at: 'time', reason: 'action' },
};

/** Half a minute before. */
export const GCE_PREEMPTION_NOTICE: NoticeSource = {
  url: `${METADATA}/computeMetadata/v1/instance/preempted`,
  headers: { 'metadata-flavor': 'Google' },
  token: null,
  ...{ interval_secs: 2, leaves_secs: 30 },
  ...{ equals: 'TRUE', at: null, reason: null },
};
