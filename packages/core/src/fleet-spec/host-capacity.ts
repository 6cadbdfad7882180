/** The capacity of an SSH host as an offer, made from the facts that its agent has reported. */
import type { HostFacts } from '@dstack/contract/agent';
import { SSH_HOST_BACKEND } from '../capabilities/capabilities.ts';
import type { Offer, ProvisioningData } from '../model/index.ts';
import { totalBlocksOf } from '../offers/blocks.ts';
import type { FleetHost } from './prepare.ts';

export type HostCapacity =
  | {
      readonly ok: true;
      readonly offer: Offer;
      readonly provisioningData: ProvisioningData;
      readonly totalBlocks: number;
    }
  | { readonly ok: false; readonly message: string };

export interface HostInput {
  readonly instanceId: string;
  readonly host: Pick<FleetHost, 'hostname' | 'user' | 'port' | 'internalIp' | 'proxyJump'>;
  /** The network of the fleet: the host's first address in it is its internal address. */
  readonly network: string | null;
  readonly blocks: number | 'auto';
  /** USD per hour, as its owner has set it. */
  readonly price: number;
  readonly facts: HostFacts;
}

const SSH_PORT = 22;
const MIB = 2 ** 20;
/** Docker's own bridge: the same network on every host, so its addresses reach no other host. */
const DOCKER_BRIDGE = '172.17.';

/** The host with its number of blocks and its internal address, or why the fleet cannot use it. */
export function hostCapacity(question: HostInput): HostCapacity {
  const { facts, network, blocks } = question;
  const address = internalAddress(question);
  if ('message' in address) return { ok: false, message: address.message };
  const offer = offerOf(facts, question.price);
  const totalBlocks = totalBlocksOf(offer, blocks);
  if (totalBlocks === null) {
    return { ok: false, message: `Cannot split into blocks: ${indivisibleText(offer, blocks)}` };
  }
  const provisioningData = machineData(question, offer, address.ip, network);
  return {
    ok: true,
    offer: { ...offer, total_blocks: totalBlocks },
    provisioningData,
    totalBlocks,
  };
}

/** Why a machine does not consist of so many equal parts. */
export function indivisibleText({ instance }: Offer, blocks: number | 'auto'): string {
  const { cpus, gpus } = instance.resources;
  return `${cpus} CPUs and ${gpus.length} GPUs do not divide by ${blocks}`;
}

function offerOf(facts: HostFacts, price: number): Offer {
  return {
    backend: SSH_HOST_BACKEND,
    instance: {
      name: 'instance',
      resources: {
        cpus: facts.cpus,
        memory_mib: Math.floor(facts.memory_bytes / MIB),
        gpus: facts.gpus.map(({ vendor, name, memory_mib }) => ({ vendor, name, memory_mib })),
        spot: false,
        disk: { size_mib: Math.floor(facts.disk_bytes / MIB) },
        cpu_arch: facts.arch,
        description: '',
      },
    },
    region: 'remote',
    price,
    backend_data: {},
    availability: 'available',
    availability_zones: null,
    instance_runtime: 'shim',
    blocks: 1,
    total_blocks: 1,
  };
}

/**
 * `dockerized: true` makes clients connect through the host's own sshd to the job's port on its
 * loopback.
 */
function machineData(
  { host, facts }: HostInput,
  offer: Offer,
  internalIp: string | null,
  network: string | null,
): ProvisioningData {
  const { proxyJump } = host;
  return {
    backend: SSH_HOST_BACKEND,
    base_backend: null,
    instance_type: offer.instance,
    instance_id: 'instance_id',
    hostname: host.hostname,
    internal_ip: internalIp,
    public_ip_enabled: true,
    instance_network: network,
    region: offer.region,
    availability_zone: null,
    reservation: null,
    price: offer.price,
    username: host.user ?? 'root',
    ssh_port: host.port ?? SSH_PORT,
    dockerized: true,
    ssh_proxy: proxyJump && {
      hostname: proxyJump.hostname,
      username: proxyJump.user,
      port: proxyJump.port ?? SSH_PORT,
    },
    backend_data: null,
    gpu_driver:
      facts.gpu_driver === null
        ? null
        : { vendor: facts.gpus[0]?.vendor ?? null, version: facts.gpu_driver },
  };
}

function internalAddress({
  host,
  network,
  facts,
}: HostInput): { readonly ip: string | null } | { readonly message: string } {
  const addresses = facts.addresses.map((cidr) => cidr.split('/')[0] ?? '');
  if (host.internalIp !== null) {
    if (addresses.includes(host.internalIp)) return { ip: host.internalIp };
    return {
      message: `Specified internal IP not found among instance interfaces: ${host.internalIp} is none of ${addresses.join(', ')}`,
    };
  }
  if (network !== null) {
    const ip = addresses.find((address) => isInside(address, network));
    if (ip) return { ip };
    return {
      message: `Failed to locate internal IP address on the given network: none of ${addresses.join(', ')} is in ${network}`,
    };
  }
  if (addresses.includes(host.hostname)) return { ip: host.hostname };
  const v4 = addresses.filter((address) => address.includes('.'));
  return { ip: v4.find((address) => !address.startsWith(DOCKER_BRIDGE)) ?? v4[0] ?? null };
}

function isInside(address: string, network: string): boolean {
  const [base = '', length] = network.split('/');
  const [inside, outside] = [bitsOf(address), bitsOf(base)];
  if (inside === null || outside === null || inside.length !== outside.length) return false;
  const prefix = length === undefined ? inside.length : Number(length);
  return inside.slice(0, prefix) === outside.slice(0, prefix);
}

/** 32 or 128 binary digits; null if the text is not an address. */
function bitsOf(address: string): string | null {
  const bits = (value: number, width: number) => value.toString(2).padStart(width, '0');
  if (!address.includes(':')) {
    const bytes = address.split('.').map(Number);
    const ok = bytes.length === 4 && bytes.every((byte) => byte >= 0 && byte <= 255);
    return ok ? bytes.map((byte) => bits(byte, 8)).join('') : null;
  }
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const words = (part: string | undefined) => (part ? part.split(':') : []);
  const [before, after] = [words(head), words(tail)];
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...Array<string>(Math.max(0, missing)).fill('0'), ...after];
  if (all.length !== 8) return null;
  return all.map((word) => bits(Number.parseInt(word, 16), 16)).join('');
}
