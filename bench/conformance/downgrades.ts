/**
 * Requests of HTTP/2 that would have another meaning as HTTP/1.1, by frames that no library sends. The classes are
 * those of PortSwigger Research, "HTTP/2: The Sequel is Always Worse" (2021), and of RFC 9113, sections 8.1 to 8.3.
 */
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { Way } from './bed.ts';
import type { Results } from './programs.ts';
import { outcome } from './smuggling.ts';

type Field = readonly [name: string, value: string];

interface Case {
  /** In place of those of a usual request; null: none. */
  readonly pseudo?: Readonly<Record<string, string | null>>;
  /** After the usual ones. */
  readonly more?: readonly Field[];
  readonly fields?: readonly Field[];
  readonly body?: string;
  readonly trailers?: readonly Field[];
}

const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = { ':method': 'POST' };

const CASES: Readonly<Record<string, Case>> = {
  'plain GET': {},
  'plain POST': { pseudo: POST, fields: [['content-length', '5']], body: 'abcde' },
  'body without a length': { pseudo: POST, body: 'abcde' },
  'length longer than the body': {
    pseudo: POST,
    fields: [['content-length', '50']],
    body: 'abcde',
  },
  'length shorter than the body': {
    ...{ pseudo: POST, fields: [['content-length', '5']] },
    body: `abcde${HIDDEN}`,
  },
  'length 0 and a body': { pseudo: POST, fields: [['content-length', '0']], body: HIDDEN },
  'two lengths': {
    pseudo: POST,
    fields: [
      ['content-length', '5'],
      ['content-length', '38'],
    ],
    body: `abcde${HIDDEN}`,
  },
  'length with a sign': { pseudo: POST, fields: [['content-length', '+5']], body: 'abcde' },
  'body of a GET': { body: HIDDEN },
  'Transfer-Encoding': {
    pseudo: POST,
    fields: [['transfer-encoding', 'chunked']],
    body: `0\r\n\r\n${HIDDEN}`,
  },
  'Transfer-Encoding and a length': {
    pseudo: POST,
    fields: [
      ['content-length', '38'],
      ['transfer-encoding', 'chunked'],
    ],
    body: `0\r\n\r\n${HIDDEN}`,
  },
  Connection: { fields: [['connection', 'x-forwarded-for']] },
  Upgrade: { fields: [['upgrade', 'websocket']] },
  'TE of trailers': { fields: [['te', 'trailers']] },
  'TE of something else': { fields: [['te', 'gzip']] },
  'CR and LF in a value': { fields: [['x-a', 'b\r\ntransfer-encoding: chunked']] },
  'LF in a value': { fields: [['x-a', 'b\ntransfer-encoding: chunked']] },
  'CR in a value': { fields: [['x-a', 'b\rtransfer-encoding: chunked']] },
  'null in a value': { fields: [['x-a', 'b\0c']] },
  'a request in a value': { fields: [['x-a', `b\r\n\r\n${HIDDEN}`]] },
  'space before a value': { fields: [['x-a', ' b']] },
  'CR and LF in a name': { fields: [['x-a: b\r\ntransfer-encoding', 'chunked']] },
  'colon in a name': { fields: [['transfer-encoding:', 'chunked']] },
  'space in a name': { fields: [['transfer-encoding ', 'chunked']] },
  'capital letters in a name': { fields: [['X-A', 'b']] },
  'empty name': { fields: [['', 'b']] },
  'underscore in a name': { fields: [['x_forwarded_for', '6.6.6.6']] },
  'pseudo field after a field': {
    fields: [
      ['x-a', 'b'],
      [':path', '/other'],
    ],
  },
  'unknown pseudo field': { more: [[':other', 'b']] },
  'two paths': { more: [[':path', '/other']] },
  'space in the path': { pseudo: { ':path': '/a HTTP/1.1' } },
  'a request in the path': { pseudo: { ':path': `/a HTTP/1.1\r\nHost: a\r\n\r\n${HIDDEN}` } },
  'LF in the path': { pseudo: { ':path': '/a\nb' } },
  'fragment in the path': { pseudo: { ':path': '/a#b' } },
  'path without a slash': { pseudo: { ':path': 'a' } },
  'empty path': { pseudo: { ':path': '' } },
  'absolute path': { pseudo: { ':path': 'http://other.test/' } },
  'no path': { pseudo: { ':path': null } },
  'space in the method': { pseudo: { ':method': 'GET /other HTTP/1.1\r\nX:' } },
  CONNECT: { pseudo: { ':method': 'CONNECT', ':path': null, ':scheme': null } },
  'scheme with a host': { pseudo: { ':scheme': 'https://other.test/?' } },
  'CR and LF in the authority': { pseudo: { ':authority': '{host}\r\nx-a: b' } },
  'path in the authority': { pseudo: { ':authority': '{host}/other' } },
  'user in the authority': { pseudo: { ':authority': 'other.test@{host}' } },
  'Host of another': { fields: [['host', 'other.test']] },
  'Host without an authority': { pseudo: { ':authority': null }, fields: [['host', '{host}']] },
  'two authorities': { more: [[':authority', 'other.test']] },
  trailers: { pseudo: POST, body: 'abcde', trailers: [['x-a', 'b']] },
  'a length in the trailers': { pseudo: POST, body: 'abcde', trailers: [['content-length', '50']] },
  'a path in the trailers': { pseudo: POST, body: 'abcde', trailers: [[':path', '/other']] },
};

const AT_A_TIME = 8;
const LIMIT_MS = 3000;

/** Null: the way has no HTTP/2. */
export async function downgrades({ securePort, at }: Way): Promise<Results | null> {
  if (securePort === null) return null;
  const { host } = at('raw', true);
  const results = new Map<string, string>();
  const waiting = Object.entries(CASES);
  const loop = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      results.set(one[0], await sent(securePort, host, one[1]));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, loop));
  return new Map(Object.keys(CASES).map((name) => [name, results.get(name) ?? '']));
}

/** Types of frames. */
const [DATA, HEADERS, RESET, SETTINGS, GOAWAY] = [0, 1, 3, 4, 7] as const;
const [END_STREAM, ACK, END_HEADERS] = [1, 1, 4] as const;

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Literals of HPACK without an index and without Huffman's code. */
function block(fields: readonly Field[], host: string): Buffer {
  const text = (one: string) => {
    const bytes = Buffer.from(one.replaceAll('{host}', host), 'latin1');
    return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  };
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  );
}

function framesOf({ pseudo, more = [], fields = [], body, trailers }: Case, host: string): Buffer {
  const usual = { ':method': 'GET', ':scheme': 'https', ':path': '/', ':authority': '{host}' };
  const first = Object.entries({ ...usual, ...pseudo }).flatMap(([name, value]): Field[] =>
    value === null ? [] : [[name, value]],
  );
  const end = (isLast: boolean) => (isLast ? END_STREAM : 0);
  const head = block([...first, ...more, ...fields], host);
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(SETTINGS, 0, 0, Buffer.alloc(0)),
    frame(HEADERS, END_HEADERS | end(body === undefined), 1, head),
    ...(body === undefined ? [] : [frame(DATA, end(!trailers), 1, Buffer.from(body))]),
    ...(trailers ? [frame(HEADERS, END_HEADERS | END_STREAM, 1, block(trailers, host))] : []),
  ]);
}

async function sent(port: number, host: string, one: Case): Promise<string> {
  const options = { host: '127.0.0.1', port, servername: host, ALPNProtocols: ['h2'] };
  const socket = connect({ ...options, rejectUnauthorized: false });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  socket.write(framesOf(one, host));
  const limit = setTimeout(() => socket.destroy(), LIMIT_MS);
  try {
    return await answerOn(socket);
  } finally {
    clearTimeout(limit);
    socket.destroy();
  }
}

/** The bytes that the app got, or how the request was refused. */
async function answerOn(socket: TLSSocket): Promise<string> {
  let rest = Buffer.alloc(0);
  let text = '';
  let status = '';
  for await (const part of socket as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, part]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const [length, type, flags] = [rest.readUIntBE(0, 3), rest[3] ?? 0, rest[4] ?? 0];
      const payload = rest.subarray(9, 9 + length);
      rest = rest.subarray(9 + length);
      if (type === SETTINGS && !(flags & ACK))
        socket.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
      if (type === RESET) return 'reset';
      if (type === GOAWAY && text === '') return 'connection closed';
      if (type === DATA) text += payload.toString('latin1');
      if (type === HEADERS && status === '') status = statusOf(payload);
      const isOver = (type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0;
      if (isOver) return text.includes('"received"') ? outcome(text) : `refused ${status}`;
    }
  }
  return text.includes('"received"') ? outcome(text) : 'no answer';
}

/** The status, if the static table of HPACK contains it; any other is a literal. */
function statusOf(payload: Buffer): string {
  const known: Readonly<Record<number, string>> = {
    ...{ 136: '200', 137: '204', 138: '206', 139: '304', 140: '400', 141: '404', 142: '500' },
  };
  return known[payload[0] ?? 0] ?? 'otherwise';
}
