/** Addresses of Google's services. */
export interface GcpEndpoints {
  /** Compute Engine, with the version. */
  readonly compute: string;
  /** Resource Manager, which knows what the credentials may do. */
  readonly projects: string;
  /** Gives access tokens for keys. */
  readonly token: string;
  /** Metadata of the machine that the server runs on. */
  readonly metadata: string;
}

/** The address of the token service, which keys are signed for, whatever address it is reached by. */
export const TOKEN_AUDIENCE = 'https://oauth2.googleapis.com/token';

const GOOGLES: GcpEndpoints = {
  compute: 'https://compute.googleapis.com/compute/v1',
  projects: 'https://cloudresourcemanager.googleapis.com/v1',
  token: TOKEN_AUDIENCE,
  metadata: 'http://169.254.169.254/computeMetadata/v1',
};

/** `endpoint`: one address for all services; null = those of Google. */
export function gcpEndpoints(endpoint: string | null): GcpEndpoints {
  if (endpoint === null) return GOOGLES;
  return {
    compute: `${endpoint}/compute/v1`,
    projects: `${endpoint}/v1`,
    token: `${endpoint}/token`,
    metadata: `${endpoint}/computeMetadata/v1`,
  };
}
