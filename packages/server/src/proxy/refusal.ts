/** Nothing is sent to a service: why, in the form that clients of dstack 0.22.5 know. */
export class ProxyRefusal extends Error {
  override name = 'ProxyRefusal';
  readonly status: number;
  /** Seconds after which another try may help. */
  readonly retryAfter: number | null;

  constructor(
    status: number,
    detail: string,
    options: ErrorOptions & { readonly retryAfter?: number } = {},
  ) {
    super(detail, options);
    this.status = status;
    this.retryAfter = options.retryAfter ?? null;
  }
}

export const serviceNotFound = (project: string, run: string) =>
  new ProxyRefusal(404, `Service ${project}/${run} not found`);

export const notAdmitted = (project: string, cause?: unknown) =>
  new ProxyRefusal(403, `Unauthenticated or unauthorized to access project ${project}`, { cause });

export const pathNotAllowed = () => new ProxyRefusal(403, 'Path is not allowed for this service');

export const upgradeNotSupported = () =>
  new ProxyRefusal(400, 'Upgrading connections is not supported');

export const timedOut = () => new ProxyRefusal(504, 'Timed out requesting upstream');

export const upstreamFailed = () => new ProxyRefusal(502, 'Error requesting upstream');

/** Seconds: as long as it takes most apps to start, with their image there. */
const START_AGAIN = 5;

export const stillStarting = (project: string, run: string) =>
  new ProxyRefusal(503, `Service ${project}/${run} is starting`, { retryAfter: START_AGAIN });
