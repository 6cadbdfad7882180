/** `node echo-app.ts NAME`: serves `ECHO`, and writes its port to its parent. */
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js';
import { ECHO } from './echo-service.ts';

const [, , name = ''] = process.argv;
const UNLIMITED = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };

let cancelled = 0;

const chat: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
  call.on('data', (message: Buffer) => call.write(message));
  call.on('end', () => call.end());
  call.on('cancelled', () => {
    cancelled += 1;
  });
};

type Unary = handleUnaryCall<Buffer, Buffer>;

const unary: Unary = (call, answer) => {
  const seen = new Metadata();
  seen.set('replica', name);
  for (const key of ['x-dstack-user', 'authorization', 'x-forwarded-for', 'grpc-timeout']) {
    seen.set(`seen-${key}`, String(call.metadata.get(key)[0] ?? ''));
  }
  seen.set('seen-deadline', String(call.getDeadline() !== Number.POSITIVE_INFINITY));
  for (const bytes of call.metadata.get('some-bin')) seen.add('some-bin', bytes);
  call.sendMetadata(seen);
  answer(null, call.request);
};

const fail: Unary = (call, answer) => {
  const metadata = new Metadata();
  metadata.set('reason', 'asked for');
  answer({ code: Number(call.request.toString()), details: 'as asked, 100 %', metadata });
};

const split: handleServerStreamingCall<Buffer, Buffer> = (call) => {
  for (const byte of call.request) call.write(Buffer.from([byte]));
  call.end();
};

const count: Unary = (_call, answer) => answer(null, Buffer.from(String(cancelled)));

const server = new Server(UNLIMITED);
server.addService(ECHO, { unary, fail, split, chat, cancelled: count });
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.(port);
});
