/** Loaded for the first tunnel: most gateways have none, and ssh2 needs several megabytes in each worker. */
export { JumpHosts, SshConnection, SshReach } from '@dstack/ssh';
