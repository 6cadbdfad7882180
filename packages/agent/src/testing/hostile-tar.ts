import fc from 'fast-check';

/** One header of a tar file and its content, with every field that an attacker can choose. */
export interface TarPiece {
  readonly name: string;
  /** The type character: 0 file, 1 hard link, 2 link, 5 directory, x extended header, … */
  readonly kind: string;
  readonly mode: number;
  readonly to: string;
  readonly content: string;
  /** Set if the header claims another size than the content's. */
  readonly size?: string | undefined;
}

const BLOCK = 512;

export function tarOf(pieces: readonly Partial<TarPiece>[]): Buffer {
  const blocks = pieces.flatMap((piece) => {
    const { name = 'x', kind = '0', mode = 0o644, to = '', content = '', size } = piece;
    const body = Buffer.from(content);
    const padding = Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK);
    const octal = size ?? body.length.toString(8).padStart(11, '0');
    return [header({ name, kind, mode, to, octal }), body, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

/** An extended header for the next entry. */
export function paxOf(records: Readonly<Record<string, string>>): Partial<TarPiece> {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    const length = [1, 2, 3, 4, 5].find((digits) => String(rest + digits).length === digits) ?? 5;
    return `${rest + length} ${key}=${value}\n`;
  });
  return { name: 'pax', kind: 'x', content: lines.join('') };
}

function header(fields: {
  readonly name: string;
  readonly kind: string;
  readonly mode: number;
  readonly to: string;
  readonly octal: string;
}): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(fields.name, 0, 100);
  block.write(fields.mode.toString(8).padStart(7, '0'), 100);
  block.write('0000000', 108);
  block.write('0000000', 116);
  block.write(fields.octal, 124, 12, 'latin1');
  block.write('00000000000', 136);
  block.write(fields.kind, 156, 1, 'latin1');
  block.write(fields.to, 157, 100);
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Names that collide below the archive's top, and some that lead out of it. */
function nameIn(outside: string): fc.Arbitrary<string> {
  const part = fc.constantFrom('a', 'a', 'b', 'canary', 'link');
  const odd = fc.constantFrom('..', '.', '');
  const parts = fc.array(fc.oneof({ weight: 12, arbitrary: part }, odd), {
    minLength: 1,
    maxLength: 3,
  });
  const path = parts.map((each) => each.join('/'));
  return fc.oneof(
    { weight: 24, arbitrary: path.map((below) => `top/${below}`) },
    path,
    path.map((below) => `/${below}`),
    path.map((below) => `${outside}/${below}`),
    path.map((below) => `top/../../../../../outside/${below}`),
    fc.constantFrom('top', `${outside}/canary`, 'x'.repeat(99)),
    fc.string({ maxLength: 20 }),
  );
}

function piece(outside: string): fc.Arbitrary<Partial<TarPiece>> {
  const name = nameIn(outside);
  const mode = fc.constantFrom(0o644, 0o755, 0o4755, 0o2777, 0o7777, 0, 0o1777);
  const content = fc.constantFrom('', 'evil', 'x'.repeat(BLOCK), 'y'.repeat(BLOCK + 1));
  const size = fc.constantFrom('77777777777', '00000000001', '-1', 'zz', '\x80\xff\xff\xff');
  const file = fc.record({
    ...{ name, mode, content },
    kind: fc.constantFrom('0', '0', '0', '0', '7', 'S', '\0'),
    size: fc.option(size, { nil: undefined, freq: 24 }),
  });
  const elsewhere = fc.constantFrom(outside, `${outside}/a`, `${outside}/canary`, '..', '/');
  const link = fc.record({ name, kind: fc.constant('2'), to: fc.oneof(elsewhere, name) });
  const hard = fc.record({ name, mode, kind: fc.constant('1'), to: name });
  const other = fc.record({ name, mode, kind: fc.constantFrom('5', '5', '5', '3', '4', '6') });
  const pax = fc
    .dictionary(
      fc.constantFrom('path', 'linkpath', 'size', 'GNU.sparse.major', '__proto__'),
      fc.oneof(name, fc.constantFrom('5', '-1', '99999999')),
      { minKeys: 1, maxKeys: 2 },
    )
    .map(paxOf);
  const gnu = fc.record({ name, kind: fc.constantFrom('L', 'K', 'g'), content: name });
  const usual = fc.oneof(file, link, hard, other);
  return fc.oneof({ weight: 12, arbitrary: usual }, pax, gnu);
}

/** An archive that tries to write outside its target, perhaps damaged. */
export interface HostileTar {
  readonly pieces: readonly Partial<TarPiece>[];
  readonly damage: readonly (readonly [at: number, byte: number])[];
  /** How much of the archive is present, in thousandths. */
  readonly kept: number;
}

export function hostileTar(outside: string): fc.Arbitrary<HostileTar> {
  const damage = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  return fc.record({
    pieces: fc.array(piece(outside), { minLength: 1, maxLength: 8 }),
    damage: fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      fc.array(damage, { minLength: 1, maxLength: 6 }),
    ),
    kept: fc.oneof({ weight: 4, arbitrary: fc.constant(1000) }, fc.integer({ min: 0, max: 999 })),
  });
}

export function bytesOf({ pieces, damage, kept }: HostileTar): Buffer {
  const tar = tarOf(pieces);
  for (const [at, byte] of damage) tar[at % tar.length] = byte;
  return tar.subarray(0, Math.floor((tar.length * kept) / 1000));
}
