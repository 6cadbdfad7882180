import { formatOptionalTimestamp, formatTimestamp, type Instance } from '@dstack/contract/wire';
import {
  drainDeadline,
  type FleetRecord,
  hasHostFault,
  type InstanceRecord,
  nextBlocks,
  stateText,
} from '@dstack/core';
import { perRecord } from '../kept-parts.ts';
import { optionalWireBackend } from './backend-name.ts';

export interface InstancePlaces {
  readonly projectName: string;
  readonly fleet: FleetRecord;
}

export function wireInstance(
  record: InstanceRecord,
  { projectName, fleet }: InstancePlaces,
): Instance {
  return placedInstance(record, projectName, fleet);
}

/** Type and zone, and the address of all but SSH hosts, are returned only once the instance is provisioned. */
const placedInstance = perRecord(instancePart);

function instancePart(record: InstanceRecord, projectName: string, fleet: FleetRecord): Instance {
  const next = nextBlocks(record, fleet.spec);
  const machine = record.provisioningData;
  return {
    id: record.id,
    project_name: projectName,
    backend: optionalWireBackend(record.backend),
    instance_type: machine?.instance_type ?? null,
    name: record.name,
    fleet_id: record.fleetId,
    fleet_name: fleet.name,
    instance_num: record.instanceNum,
    job_name: null,
    hostname: machine?.hostname ?? record.address,
    status: record.status,
    unreachable: record.unreachable,
    health_status: record.health,
    ...(record.healthMessage === null ? {} : { health_message: record.healthMessage }),
    ...schedulingPart(record),
    termination_reason: record.terminationReason,
    termination_reason_message: record.terminationMessage,
    created: formatTimestamp(record.createdAt),
    finished_at: formatOptionalTimestamp(record.finishedAt),
    region: record.region || null,
    availability_zone: machine?.availability_zone ?? null,
    price: record.backend === null ? null : record.price,
    total_blocks: record.totalBlocks,
    ...(next === null ? {} : { next_blocks: next }),
    busy_blocks: record.busyBlocks,
    gpu_driver: machine?.gpu_driver ?? null,
  };
}

/** A decision of a person takes precedence over a fault that the server has found. */
function schedulingPart(record: InstanceRecord): Pick<Instance, 'scheduling'> {
  const { scheduling, hostTrouble } = record;
  if (scheduling !== null) {
    const { reason, by, since, until } = scheduling;
    const times = {
      since: formatTimestamp(since),
      until: formatOptionalTimestamp(until),
      deadline: formatOptionalTimestamp(drainDeadline(scheduling)),
    };
    return { scheduling: { state: stateText(scheduling), reason, by, ...times } };
  }
  if (!hasHostFault(record)) return {};
  const until = formatOptionalTimestamp(hostTrouble?.coolsUntil ?? null);
  const reason = record.healthMessage;
  const times = { since: null, until, deadline: null };
  return { scheduling: { state: 'quarantined', reason, by: null, ...times } };
}
