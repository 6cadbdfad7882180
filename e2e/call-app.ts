/** `node call-app.ts`: an app of gRPC, on port 8000 of the job's own address, that ends gracefully. */
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js';
import { CALLS } from './call-service.ts';

const { DSTACK_LISTEN_ADDRESS: address, VERSION: version = '1' } = process.env;

const whoami: handleUnaryCall<Buffer, Buffer> = (call, answer) => {
  const seen = new Metadata();
  seen.set('user', String(call.metadata.get('x-dstack-user')[0] ?? ''));
  seen.set('token', String(call.metadata.get('authorization')[0] ?? ''));
  call.sendMetadata(seen);
  answer(null, Buffer.from(version));
};

const echo: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
  call.on('data', (message: Buffer) => call.write(message));
  call.on('end', () => call.end());
};

const server = new Server();
server.addService(CALLS, { whoami, echo });
server.bindAsync(`${address}:8000`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
process.on('SIGTERM', () => server.tryShutdown(() => process.exit(0)));
