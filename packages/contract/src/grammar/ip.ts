/** Networks that are not reachable from the internet (RFC 1918 and other special-purpose ranges). */
const PRIVATE_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['240.0.0.0', 4],
] as const;

/** The 32 bits of an IPv4 address, or undefined. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let bits = 0;
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bits = bits * 256 + Number(part);
  }
  return bits;
}

/** The 128 bits of an IPv6 address, or undefined. */
export function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const read = (half: string) => (half === '' ? [] : half.split(':').flatMap(hextets));
  const head = read(halves[0] ?? '');
  const tail = halves.length === 2 ? read(halves[1] ?? '') : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...Array<number>(missing).fill(0), ...tail];
  if (all.some(Number.isNaN)) return undefined;
  return all.reduce((bits, part) => bits * 65_536n + BigInt(part), 0n);
}

/** One group of an IPv6 address; a dotted IPv4 tail counts as two. */
function hextets(part: string): number[] {
  const v4 = part.includes('.') ? parseIpv4(part) : undefined;
  if (v4 !== undefined) return [Math.floor(v4 / 65_536), v4 % 65_536];
  return [/^[0-9a-f]{1,4}$/i.test(part) ? Number.parseInt(part, 16) : Number.NaN];
}

function isInV4(bits: number, network: string, length: number): boolean {
  const size = 2 ** (32 - length);
  return Math.floor(bits / size) === Math.floor((parseIpv4(network) ?? 0) / size);
}

/** Whether an address is public or private; undefined if it is not valid. */
export function classifyIp(text: string): 'private' | 'public' | 'invalid' {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) {
    return PRIVATE_V4.some(([network, length]) => isInV4(v4, network, length))
      ? 'private'
      : 'public';
  }
  const v6 = parseIpv6(text);
  if (v6 === undefined) return 'invalid';
  const top = v6 >> 118n;
  // ::1 and ::, fc00::/7, fe80::/10, 2001:db8::/32.
  const isPrivate = v6 <= 1n || v6 >> 121n === 0x7en || top === 0x3fan || v6 >> 96n === 0x20010db8n;
  return isPrivate ? 'private' : 'public';
}

/** Whether `address/length` is valid (host bits may be set), and private at both ends. */
export function classifyNetwork(text: string): 'private' | 'public' | 'invalid' {
  const match = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text);
  if (!match?.[1]) return 'invalid';
  const v4 = parseIpv4(match[1]);
  const width = v4 === undefined ? 128 : 32;
  const length = match[2] === undefined ? width : Number(match[2]);
  if (length > width) return 'invalid';
  if (v4 === undefined) return classifyIp(match[1]);
  // The range is private if it lies within one of the private networks.
  const isPrivate = PRIVATE_V4.some(([network, own]) => length >= own && isInV4(v4, network, own));
  return isPrivate ? 'private' : 'public';
}
