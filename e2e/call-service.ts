import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

const same = (bytes: Buffer) => bytes;

const method = (name: string, isStream: boolean): MethodDefinition<Buffer, Buffer> => ({
  ...{ path: `/e2e.Calls/${name}`, requestStream: isStream, responseStream: isStream },
  ...{ requestSerialize: same, requestDeserialize: same },
  ...{ responseSerialize: same, responseDeserialize: same },
});

/** A service of gRPC whose messages are bytes as they are. */
export const CALLS = {
  /** Answers with the app's version; its metadata name the caller that the app sees. */
  whoami: method('whoami', false),
  /** Each message, until the client ends. */
  echo: method('echo', true),
} satisfies ServiceDefinition;
