/** JSON that is large, deep or unusual in itself, for any endpoint. */
import { type HostileInput, post } from './request.ts';
import { many, repeat } from './texts.ts';

const MIB = 1024 * 1024;

const BODIES: Readonly<Record<string, (length: number) => string | Buffer>> = {
  'nested lists': (length) => '['.repeat(length / 2) + ']'.repeat(length / 2),
  'nested lists without end': repeat('['),
  'nested maps': (length) => '{"a":'.repeat(length / 5),
  'empty lists': (length) => `[${'[],'.repeat(length / 3)}1]`,
  'empty maps': (length) => `[${'{},'.repeat(length / 3)}1]`,
  numbers: (length) => `[${'1,'.repeat(length / 2)}1]`,
  'a long number': repeat('9'),
  'a long fraction': (length) => `0.${'9'.repeat(length)}`,
  'an exponent': (length) => `1e${'9'.repeat(length)}`,
  'many keys': (length) => `{${many(length / 12, (i) => `"k${i}":1`).join()}}`,
  'the same key': (length) => `{${many(length / 8, () => '"k":1').join()}}`,
  'keys of objects': (length) => `{${many(length / 16, () => '"__proto__":{}').join()}}`,
  'a long text': (length) => JSON.stringify('x'.repeat(length)),
  'a text of escapes': (length) => `"${'\\n'.repeat(length / 2)}"`,
  'a text of surrogates': (length) => `"${'\\ud83d\\ude00'.repeat(length / 12)}"`,
  'half surrogates': (length) => `"${'\\ud83d'.repeat(length / 6)}"`,
  'a text without end': (length) => `"${'x'.repeat(length)}`,
  backslashes: (length) => `"${'\\'.repeat(length)}`,
  quotes: repeat('"'),
  colons: repeat(':'),
  blanks: repeat(' '),
  nothing: repeat('\0'),
  'no UTF-8': (length) => Buffer.alloc(length, 0xff),
};

export const jsonInputs: readonly HostileInput[] = Object.entries(BODIES).flatMap(
  ([name, body]) => [
    {
      name: `${name} as a body`,
      most: MIB - 1024,
      request: (size) => post('/api/users/get_user', body(size)),
    },
    {
      name: `${name} in a field of a run`,
      most: MIB - 1024,
      request: (size) => {
        const inner = body(size);
        const [head, tail] = ['{"run_spec":{"configuration":{"type":"task","commands":', '}}}'];
        const whole = Buffer.concat([Buffer.from(head), Buffer.from(inner), Buffer.from(tail)]);
        return post('/api/project/main/runs/get_plan', whole);
      },
    },
  ],
);
