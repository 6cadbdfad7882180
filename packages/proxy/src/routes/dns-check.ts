import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';

export interface DnsCheck {
  /** `host:port`; null = the system's servers. */
  readonly server: string | null;
  /** The address of the gateway; null = it is not known. */
  readonly address: string | null;
  /** Others that it may lead to instead. */
  readonly others?: readonly string[];
  /** The record is for the name alone: its domain is not the gateway's. */
  readonly isOwn: boolean;
}

/** Null: the name leads to the gateway. Otherwise what is wrong, and the record to create. */
export async function dnsProblem(
  name: string,
  { server, address, others = [], isOwn }: DnsCheck,
): Promise<string | null> {
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  if (server !== null) resolver.setServers([server]);
  const found = await addressesOf(resolver, name);
  const known = address === null ? [] : [address, ...others];
  const expected = (await Promise.all(known.map((one) => expectedAddresses(resolver, one)))).flat();
  const owner = isOwn ? name : `*${name.slice(name.indexOf('.'))}`;
  const type = address === null ? 'A' : RECORDS[isIP(address)];
  const record = `${owner} ${type} ${address ?? '<address of the gateway>'}`;
  if (found.length === 0) {
    return `DNS has no address for ${name}. Create this record: ${record}`;
  }
  if (expected.length === 0 || found.some((one) => expected.includes(one))) return null;
  return `DNS leads ${name} to ${found.join(', ')}, not to this gateway (${expected.join(', ')}). Create this record: ${record}`;
}

const RECORDS: Readonly<Record<number, string>> = { 0: 'CNAME', 4: 'A', 6: 'AAAA' };

async function expectedAddresses(resolver: Resolver, address: string): Promise<string[]> {
  return isIP(address) > 0 ? [address] : await addressesOf(resolver, address);
}

async function addressesOf(resolver: Resolver, name: string): Promise<string[]> {
  const found = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  return found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
}
