/** The SSH login of a host. */
export interface HostCredentials {
  readonly hostname: string;
  readonly port: number;
  readonly user: string;
  /** PEM or OpenSSH text without a passphrase. */
  readonly privateKey: string;
}
