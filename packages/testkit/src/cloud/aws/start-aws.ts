import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../random.ts';
import { CloudCalls } from '../calls.ts';
import { type CloudClock, runningClock } from '../clock.ts';
import { controlFile } from '../control-file.ts';
import type { CloudKnobs } from '../faults.ts';
import type { VmHosts } from '../hosts.ts';
import { type AwsLogEntry, startAwsFront } from './aws-front.ts';
import { type Moto, startMoto } from './moto.ts';
import { motoCalls, openDefaultVpc } from './moto-call.ts';
import type { Ec2Reservation } from './reservations.ts';

export interface AwsOptions {
  readonly clock?: CloudClock;
  readonly seed?: number;
  readonly faults?: CloudKnobs;
  /** Regions whose default VPC has a way to the internet, as at AWS; by default none has. */
  readonly regions?: readonly string[];
  /** By default VMs are records only. `startYard()` gives them real hosts. */
  readonly hosts?: VmHosts;
  /** One that runs already, for the next test; it is emptied. By default it is started and ended. */
  readonly moto?: Moto;
}

export interface Aws {
  /** The address of all services, which is that of the front before moto. */
  readonly url: string;
  readonly calls: CloudCalls;
  readonly faults: { set(knobs: CloudKnobs): void };
  /** All requests, oldest first. */
  readonly log: readonly AwsLogEntry[];
  /** Ids of VMs that were made and not ended. */
  vms(): readonly string[];
  /** Machines that were created (`+<id>`) and have ended (`-<id>`), in order. */
  history(): readonly string[];
  /** Ends a machine as a person would at the console. */
  vanish(id: string): Promise<void>;
  /** EC2 takes a spot machine back. */
  interrupt(id: string): Promise<void>;
  /** EC2 has accepted the order of a machine, and ends it because none is left. */
  failLate(id: string): Promise<void>;
  /** There is no such machine left in the zone. */
  sellOut(type: string, zone: string): void;
  /** The account has reserved machines, or has bought a capacity block. */
  reserve(reservation: Ec2Reservation): void;
  /** All calls of an action are refused with a code; null: no longer. */
  refuse(action: string, code: string | null): void;
  /** A region answers nothing any more. */
  silence(region: string): void;
  /** The limit of a quota in vCPUs; without, EC2 reports none. */
  setQuota(code: string, value: number): void;
  /** A call of moto itself, without the client and without faults; the answer in XML. */
  ask(region: string, action: string, fields?: Readonly<Record<string, string>>): Promise<string>;
  close(): Promise<void>;
}

const NONE_LEFT =
  'Server.InsufficientInstanceCapacity: Insufficient capacity to satisfy instance request';
const SPOT_END = 'Server.SpotInstanceTermination: Spot instance termination';

/** AWS by moto, with the front's additions. `environment`: of `motoEnvironment`. */
export async function startAws(environment: string, options: AwsOptions = {}): Promise<Aws> {
  const { clock = runningClock(), seed = 1, regions = [], hosts = null } = options;
  const dir = mkdtempSync(join(tmpdir(), 'cloud-aws-'));
  const control = controlFile(dir);
  if (options.faults) control.set(options.faults);
  const common = { clock, random: new Random(seed), faults: control.current };
  const calls = new CloudCalls(common);
  const moto = options.moto ?? (await startMoto(environment));
  await options.moto?.reset();
  const ask = motoCalls(moto.url);
  for (const region of regions) await openDefaultVpc(ask, region);
  const host = '127.0.0.1';
  const front = await startAwsFront({ ...common, calls, hosts, host, moto: moto.url });
  const terminate = async (id: string) => {
    const region = front.vms.regionOf(id) ?? 'us-east-1';
    await ask(region, 'TerminateInstances', { 'InstanceId.1': id });
  };
  return {
    ...{ url: front.url, calls, log: front.log, ask, faults: { set: control.set } },
    vms: () => front.vms.ids,
    history: () => front.vms.history,
    vanish: async (id) => {
      await terminate(id);
      front.vms.onEnded(id);
    },
    interrupt: async (id) => {
      await terminate(id);
      front.vms.onReclaimed(id, SPOT_END);
    },
    failLate: async (id) => {
      await terminate(id);
      front.vms.onReclaimed(id, NONE_LEFT);
    },
    sellOut: (type, zone) => front.capacity.sellOut(type, zone),
    reserve: (reservation) => front.reservations.add(reservation),
    refuse: (action, code) => {
      if (code === null) front.refused.delete(action);
      else front.refused.set(action, code);
    },
    silence: (region) => void front.unreachable.add(region),
    setQuota: (code, value) => front.quotas.set(code, value),
    close: async () => {
      await front.close();
      if (!options.moto) await moto.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
