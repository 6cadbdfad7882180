export { authenticate } from './authentication.ts';
export { refuseChannel } from './channel-refusal.ts';
export { joinChannel, joinWhenOpen } from './forward.ts';
export type { JobOutput, OutputChunk } from './job-output.ts';
export { joinConnections } from './join-connections.ts';
export { isOutputService, OutputService } from './output-service.ts';
export { findKey, type PublicKey, parsePublicKey, type VerifyingKey } from './public-keys.ts';
export { type Login, SshListener, type SshListenerOptions } from './ssh-listener.ts';
export { serveOverStream } from './ssh-over-stream.ts';
