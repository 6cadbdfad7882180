/** FNV-1a, 32 bits: offset basis and prime of the algorithm's definition. */
const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;
/** Offset basis of the second half; any value other than `OFFSET`. */
const SECOND_OFFSET = 0x9747b28c;

/**
 * A 64-bit hash as 16 hexadecimal digits, equal on every server and in every release, because it is
 * stored. Not cryptographic: use it to group and for jitter, never to authenticate.
 */
export function stableHash(text: string): string {
  let first = OFFSET;
  let second = SECOND_OFFSET;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    first = Math.imul(first ^ code, PRIME);
    second = Math.imul(second ^ (code + i), PRIME);
  }
  return hex(mixed(first)) + hex(mixed(second));
}

/** A number from 0 (inclusive) to 1 (exclusive), derived from the text. */
export function stableFraction(text: string): number {
  return Number.parseInt(stableHash(text).slice(0, 8), 16) / 2 ** 32;
}

/** Lets every bit of the input reach every bit of the result (the finalizer of MurmurHash3). */
function mixed(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
