/** Multipart bodies that no client sends. */
import { createHash } from 'node:crypto';
import { BEARER, type HostileInput, type HostileRequest } from './request.ts';
import { repeat } from './texts.ts';

const hash = (content: string) => createHash('sha256').update(content).digest('hex');
const part = (name: string, content: string, more = '') =>
  `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}\r\n`;
const file = (content: string, name = hash(content)) =>
  part('file', content, `; filename="${name}"`);
const END = '--b--\r\n';

const BODIES: Readonly<Record<string, (length: number) => string>> = {
  'a file': (length) => file('x'.repeat(length)) + END,
  'a file with another content': (length) => file('x'.repeat(length), hash('y')) + END,
  'a file without end': (length) => file('x'.repeat(length)),
  'a field before the file': (length) => part('a', 'x'.repeat(length)) + file('x') + END,
  'fields before the file': (length) => part('a', 'b').repeat(length / 60) + file('x') + END,
  'files before the file': (length) => file('x', 'y').repeat(length / 80) + file('x') + END,
  'many small parts': repeat('--b\r\n\r\n\r\n'),
  'many boundaries': repeat('--b\r\n'),
  'nearly boundaries': (length) => file('\r\n--'.repeat(length / 4)) + END,
  'carriage returns': (length) => file('\r'.repeat(length)) + END,
  'a preamble': (length) => 'x'.repeat(length) + file('x') + END,
  'an epilogue': (length) => file('x') + END + 'x'.repeat(length),
  'a long name of a field': (length) => part('x'.repeat(length), 'y', '; filename="z"') + END,
  'a long name of a file': (length) => file('x', 'y'.repeat(length)) + END,
  'a long header': (length) => `--b\r\nX: ${'y'.repeat(length)}\r\n\r\n1\r\n${END}`,
  'many headers': (length) => `--b\r\n${'X: y\r\n'.repeat(length / 6)}\r\n1\r\n${END}`,
  'parameters of a header': (length) => part('file', 'x', '; a=b'.repeat(length / 5)) + END,
};

function upload(body: string, boundary = 'b'): HostileRequest {
  const type = `multipart/form-data; boundary=${boundary}`;
  return {
    method: 'POST',
    path: '/api/files/upload_archive',
    headers: [BEARER, ['Content-Type', type]],
    body: Buffer.from(body, 'latin1'),
  };
}

export const uploadInputs: readonly HostileInput[] = [
  ...Object.entries(BODIES).map(([name, body]) => ({
    name,
    most: 4 * 1024 * 1024,
    request: (size: number) => upload(body(size)),
  })),
  {
    name: 'a long boundary',
    most: 12 * 1024,
    request: (size) => upload(file('x') + END, 'b'.repeat(size)),
  },
];
