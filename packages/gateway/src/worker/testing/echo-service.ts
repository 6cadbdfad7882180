/** A service of gRPC for tests, whose messages are bytes as they are. */
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

function method(
  path: string,
  requestStream: boolean,
  responseStream: boolean,
): MethodDefinition<Buffer, Buffer> {
  const same = (bytes: Buffer) => bytes;
  return {
    ...{ path: `/test.Echo/${path}`, requestStream, responseStream },
    ...{ requestSerialize: same, requestDeserialize: same },
    ...{ responseSerialize: same, responseDeserialize: same },
  };
}

export const ECHO = {
  /** Its metadata are returned: who has called, and which replica has answered. */
  unary: method('unary', false, false),
  /** Fails with the status that the message names. */
  fail: method('fail', false, false),
  /** Each byte as a message of its own. */
  split: method('split', false, true),
  /** Each message, until the client ends. */
  chat: method('chat', true, true),
  /** Number of calls of `chat` that clients have cancelled. */
  cancelled: method('cancelled', false, false),
} satisfies ServiceDefinition;
