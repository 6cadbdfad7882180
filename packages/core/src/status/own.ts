/** Additions of core to the statuses of the contract. */

export * from './attachment-deadlines.ts';
export * from './deadlines.ts';
export * from './host-faults.ts';
export {
  aliveMembers,
  endedMembers,
  MOST_WAITING_MEMBERS,
  NO_MEMBERS,
  waitingMembers,
} from './member-counts.ts';
export * from './notices.ts';
export * from './reasons.ts';
export * from './record-status.ts';
export * from './scheduling.ts';
export * from './texts.ts';
