export { authenticate } from './authentication.ts';
export { refuseChannel } from './channel-refusal.ts';
export { type Channel, ChannelSocket } from './client/channel-socket.ts';
export {
  addressOf,
  type Executed,
  type HostKeys,
  type MayDial,
  SshConnection,
  type SshTarget,
} from './client/connection.ts';
export { asHostError, HostError, permanent, temporary } from './client/host-error.ts';
export { JumpHosts } from './client/jump-hosts.ts';
export { loginError } from './client/login-error.ts';
export { SshReach } from './client/ssh-reach.ts';
export { joinChannel, joinWhenOpen } from './forward.ts';
export type { JobOutput, OutputChunk } from './job-output.ts';
export { isOutputService, OutputService } from './output-service.ts';
export { findKey, type PublicKey, parsePublicKey, type VerifyingKey } from './public-keys.ts';
export { type Login, SshListener, type SshListenerOptions } from './ssh-listener.ts';
export { serveOverStream } from './ssh-over-stream.ts';
