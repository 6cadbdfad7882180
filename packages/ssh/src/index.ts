export { authenticate } from './authentication.ts';
export { refuseChannel } from './channel-refusal.ts';
export { joinChannel, joinWhenOpen } from './forward.ts';
export { findKey, type PublicKey, parsePublicKey, type VerifyingKey } from './public-keys.ts';
export { type Login, SshListener, type SshListenerOptions } from './ssh-listener.ts';
