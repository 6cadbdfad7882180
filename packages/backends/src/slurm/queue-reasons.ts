/** Why a job waits in the queue, in plain words and with what helps, by the reason that Slurm reports. */

/** Only a person can change them. */
const EXACT: Readonly<Record<string, string>> = {
  PartitionTimeLimit: 'its time limit exceeds that of the partition: set `time_limit`',
  PartitionNodeLimit: 'it wants more nodes than the partition allows',
  PartitionConfig: 'it requests more than the partition allows: request less, or set `partition`',
  PartitionDown: 'the partition is down',
  PartitionInactive: 'the partition is inactive',
  JobHeldUser: 'it is held (`scontrol release` lets it go)',
  JobHeldAdmin: 'an administrator holds it',
  BadConstraints: 'no node has its features: change `constraint`',
  AccountNotAllowed: 'its account may not use the partition: set `account`',
  QOSNotAllowed: 'its QOS may not use the partition: set `qos`',
  InvalidAccount: 'its account is invalid: set `account`',
  InvalidQOS: 'its QOS is invalid: set `qos`',
  // These pass by themselves.
  Resources: 'other jobs use what it needs, and it starts when enough of them have ended',
  Priority: 'jobs before it have a higher priority (`sprio` shows how they are ranked)',
  BeginTime: 'the time at which it may begin has not come',
  Reservation: 'its reservation has not begun',
  ReservationDeleted: 'its reservation was deleted: remove `reservation`',
  Licenses: 'other jobs use the licenses that it needs',
};

/** The first that matches. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [
    /^Nodes required for job are DOWN/,
    'nodes that it needs are down, drained, reserved, or kept for partitions of higher priority',
  ],
  [/^ReqNodeNotAvail/, 'nodes that it needs are down, drained or reserved (`sinfo -R` shows why)'],
  [
    /^(?:QOS|Assoc)MaxWall/,
    'its time limit exceeds that of its QOS or account: set `time_limit`, `qos` or `account`',
  ],
  [
    /^(?:QOS|Assoc)Max[A-Za-z]*PerJob/,
    'it requests more than its QOS or account allows a job: request less, or set `qos` or `account`',
  ],
  [
    /^QOS(?:Max|Grp)/,
    'the jobs of its QOS have reached a limit: it starts when some of them have ended, or set `qos`',
  ],
  [
    /^Assoc(?:Max|Grp)/,
    'the jobs of its account have reached a limit: it starts when some of them have ended, or set `account`',
  ],
];

/** Null: Slurm's own word is all that is known. */
export function plainReason(reason: string): string | null {
  return EXACT[reason] ?? PATTERNS.find(([pattern]) => pattern.test(reason))?.[1] ?? null;
}
