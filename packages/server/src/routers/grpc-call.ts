import { type ClientHttp2Session, connect } from 'node:http2';
import type { OpenApp } from './request-over.ts';

/** An empty message: not compressed, of length 0. */
const EMPTY = Buffer.alloc(5);
const HEADER = 5;

/** Most bytes of an answer. */
const LIMIT = 256 * 1024;

/**
 * Calls a method of gRPC without parameters, over a connection of its own; returns the encoded
 * answer. `path`: `/package.Service/Method`. Rejects if there is no answer, or an error instead.
 */
export async function grpcCall(open: OpenApp, path: string, signal: AbortSignal): Promise<Buffer> {
  const stream = await open();
  stream.on('error', () => stream.destroy());
  const session = connect('http://job', { createConnection: () => stream });
  const end = () => session.destroy();
  signal.addEventListener('abort', end);
  try {
    signal.throwIfAborted();
    return await answerOf(session, path);
  } finally {
    signal.removeEventListener('abort', end);
    end();
    stream.destroy();
  }
}

function answerOf(session: ClientHttp2Session, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) => reject(new Error(`${path}: ${what}`));
    session.on('error', reject);
    session.on('close', () => fail('the connection was closed'));
    const call = session.request({
      ...{ ':method': 'POST', ':path': path },
      ...{ 'content-type': 'application/grpc', te: 'trailers' },
    });
    const chunks: Buffer[] = [];
    let size = 0;
    let status: unknown;
    call.on('error', reject);
    // An error without an answer has its status in the headers.
    call.on('response', (headers) => {
      status = headers['grpc-status'];
    });
    call.on('trailers', (headers) => {
      status = headers['grpc-status'];
    });
    call.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > LIMIT) session.destroy();
    });
    call.on('end', () => {
      const all = Buffer.concat(chunks);
      if (String(status) !== '0') fail(`status ${status ?? 'unknown'}`);
      else if (all.length < HEADER || all[0] !== 0) fail('no readable answer');
      else resolve(all.subarray(HEADER, HEADER + all.readUInt32BE(1)));
    });
    call.end(EMPTY);
  });
}
