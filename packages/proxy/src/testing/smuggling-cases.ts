/** Requests whose end two programs may see at different places, so that the second one reads a part as another request. */

/** Of the client from which the part claims to be. */
const FORGED_ADDRESS = '6.6.6.6';

export interface SmugglingCase {
  readonly what: string;
  /** As bytes of Latin-1. */
  readonly sent: string;
}

/** `path`: of the request; `host`: in its head. */
export function smugglingCases(path: string, host: string): SmugglingCase[] {
  const hidden = `GET ${path}hidden HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-For: ${FORGED_ADDRESS}\r\nX-Dstack-Gateway-Address: ${FORGED_ADDRESS}\r\n\r\n`;
  const after = `0\r\n\r\n${hidden}`;
  const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
  const request = (lines: readonly string[], body = '', line = `POST ${path} HTTP/1.1`) =>
    `${line}\r\n${[`Host: ${host}`, ...lines].join('\r\n')}\r\n\r\n${body}`;
  const long = `Content-Length: ${after.length}`;
  const all = `Content-Length: ${hidden.length}`;
  const chunked = 'Transfer-Encoding: chunked';
  const encodings: readonly string[] = [
    ...[
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding : chunked',
      'Transfer-Encoding:\tchunked',
    ],
    ...['Transfer-Encoding: chunked, identity', 'Transfer-Encoding: identity, chunked'],
    ...[
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
      'Transfer-Encoding: x\r\nTransfer-Encoding: chunked',
    ],
    ...[
      'X: x\nTransfer-Encoding: chunked',
      'X: x\rTransfer-Encoding: chunked',
      'Transfer-Encoding\r\n : chunked',
    ],
    ...[
      'Transfer-Encoding: "chunked"',
      'Transfer-Encoding: \x0bchunked',
      'Transfer-Encoding: chunked\0',
    ],
    ...[
      'Transfer_Encoding: chunked',
      'Transfer-Encoding: CHUNKED',
      'Transfer-Encoding:\r\n chunked',
    ],
  ];
  const lengths: readonly string[] = [
    ...[
      `Content-Length: 0\r\n${all}`,
      `${all}\r\nContent-Length: 0`,
      `${all}, 0`,
      `${all}, ${hidden.length}`,
    ],
    ...[
      `Content-Length: +${hidden.length}`,
      `Content-Length: -1`,
      `Content-Length: 0x${hidden.length.toString(16)}`,
    ],
    ...[
      `Content-Length : ${hidden.length}`,
      `Content_Length: ${hidden.length}`,
      `Content-Length:\r\n ${hidden.length}`,
    ],
    ...[
      `X: a\r\n ${all}`,
      `X: a\n${all}`,
      `X: a\r${all}`,
      `\0${all}`,
      'Content-Length: 99999999999999999999',
    ],
  ];
  const connections = [
    'Content-Length',
    'Transfer-Encoding',
    'Host, X-Dstack-Gateway-Address, X-Forwarded-For',
  ];
  const named = (what: string, sent: string): SmugglingCase => ({ what, sent });
  return [
    named('a length before chunks', request([long, chunked], after)),
    named('a short length before chunks', request(['Content-Length: 4', chunked], chunk)),
    ...encodings.map((one) =>
      named(`a length and ${JSON.stringify(one)}`, request([long, one], after)),
    ),
    ...encodings.map((one) => named(`${JSON.stringify(one)} alone`, request([one], after))),
    ...lengths.map((one) => named(JSON.stringify(one), request([one], hidden))),
    ...connections.map((one) =>
      named(`Connection: ${one}`, request([`Connection: ${one}`, all], hidden)),
    ),
    named('chunks in HTTP/1.0', request([chunked, long], after, `POST ${path} HTTP/1.0`)),
    named('a body of GET', request([all], hidden, `GET ${path} HTTP/1.1`)),
    named('chunks of GET', request([chunked], after, `GET ${path} HTTP/1.1`)),
    named('a body after Expect', request(['Expect: 100-continue', all], hidden)),
    named(
      'a body with an upgrade',
      request(['Connection: Upgrade', 'Upgrade: websocket', all], hidden),
    ),
    named(
      'a body with an upgrade to HTTP/2',
      request(
        [
          'Connection: Upgrade, HTTP2-Settings',
          'Upgrade: h2c',
          'HTTP2-Settings: AAMAAABkAAQAAP__',
          all,
        ],
        hidden,
      ),
    ),
    named(
      'a chunk with an extension that ends by a line feed',
      request([chunked], `2;\nxx\r\n${hidden.length.toString(16)}\r\n0\r\n\r\n${hidden}`),
    ),
    named('a chunk that is longer than its size', request([chunked], `1\r\nxx\r\n${after}`)),
    named('a chunk with a size in another form', request([chunked], `0x5\r\nabcde\r\n${after}`)),
    named('a chunk with a negative size', request([chunked], `-1\r\n${after}`)),
    named('a chunk with a huge size', request([chunked], `fffffffffffffffff\r\n${after}`)),
    named(
      'fields after the body',
      request([chunked], `0\r\nX-Dstack-User: root\r\nContent-Length: 1000\r\n\r\n${hidden}`),
    ),
    named(
      'lines that end by a line feed alone',
      `POST ${path} HTTP/1.1\nHost: ${host}\n${all}\n\n${hidden}`,
    ),
    named(
      'an absolute form with another host',
      request([all], hidden, `POST http://other.test${path} HTTP/1.1`),
    ),
    named('two hosts', request(['Host: other.test', all], hidden)),
    named('a NUL in the path', request([all], hidden, `POST ${path}\0x HTTP/1.1`)),
    named('a line feed in the path', request([all], hidden, `POST ${path}\nHost: h HTTP/1.1`)),
    named('a NUL in a value', request(['X: a\0b', all], hidden)),
    named('a header of 200 KB', request([`X: ${'a'.repeat(200_000)}`, all], hidden)),
    named('HTTP/0.9', `GET ${path}\r\n\r\n${hidden}`),
    named('HTTP/2 without TLS', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`),
  ];
}
