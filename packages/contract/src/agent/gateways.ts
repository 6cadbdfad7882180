/**
 * Programs of gateways. The agent starts one per gateway replica on its host, keeps it running, and leads
 * the server to it; requests of clients do not pass through the agent.
 *
 * A connection begins with one line of JSON from the server, `GatewayOpening`. A `control` connection
 * then carries frames, one JSON object per line: `GatewayCommand` downwards and `GatewayFrame` upwards.
 * A `tunnel` is taken by the server for a request that only the server can deliver.
 */
import * as z from 'zod/mini';
import { AccessPages, FIGURES, GatewayCounts, GatewayModelUse } from './gateway-counts.ts';
import {
  HostName,
  instant,
  MOST_GATEWAY_SERVICES,
  momentary,
  Port,
  part,
} from './gateway-schemas.ts';
import { GatewayHost, GatewayService, GatewayToken } from './gateway-services.ts';
import { CertificateState, GatewayPem, GatewaySettings } from './gateway-settings.ts';
import { parseFrame } from './parse-message.ts';
import {
  amount,
  byType,
  flag,
  frame,
  type Infer,
  line,
  list,
  mapOf,
  messageText,
  nullable,
  object,
  oneOf,
  optional,
  text,
  textLike,
  uuid,
  whole,
} from './schema-kit.ts';

/** Body of `PUT /v1/gateways/{id}`. The names are for people who look at it. */
export const PutGateway = object({ name: line(256), project: line(256) });
export type PutGateway = Infer<typeof PutGateway>;

const PublicKey = textLike(
  /^ssh-ed25519 [A-Za-z0-9+/]{20,200}={0,2}$/,
  'is not an Ed25519 key in the form of OpenSSH',
);

/** Milliseconds of requests in flight within one slot of seconds. */
const busyTime = amount.check(z.maximum(1e12, 'is too large'));
/** See `latencyBucket`: 72 of them. */
const LatencyBucket = textLike(/^([0-9]|[1-6][0-9]|7[01])$/, 'is not the bucket of a latency');

export const GatewayOpening = byType(
  frame('control', {}),
  frame('tunnel', { id: uuid }),
  /** Sent by a worker of an earlier process, with the same effect as the frame `tunnel`. */
  frame('relay', { host_id: line(256), job_id: uuid, port: Port }),
);

/** The digest that a TXT record of a name shows to an authority. */
const ChallengeValue = textLike(/^[A-Za-z0-9_-]{43}$/, 'is not the digest of a challenge');
const ChallengeName = textLike(
  /^_acme-challenge(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/,
  'is not the name of a challenge',
);

/** A request waits no longer for the count of its rate. */
export const MOST_WAITED_MS = 2000;

/** Lines in one answer. */
export const GATEWAY_LOG_LINES = 500;

/** A line of the log of the program, or of the errors of nginx. */
export const GatewayLogLine = object({
  /** Milliseconds since the epoch; null = it has none. */
  time: nullable(instant),
  source: oneOf('gateway', 'nginx'),
  level: line(16),
  text: messageText(1000),
});
export type GatewayLogLine = Infer<typeof GatewayLogLine>;

/** Server -> gateway. */
export const GatewayCommand = byType(
  frame('settings', {
    settings: GatewaySettings,
    certificates: list(GatewayPem, 100),
    /** Requested by this replica or by others of the gateway. */
    issued: nullable(list(GatewayPem, MOST_GATEWAY_SERVICES)),
  }),
  /** All services; those that are not listed have left the gateway. */
  frame('services', {
    services: list(GatewayService, MOST_GATEWAY_SERVICES),
    /** Names of the model endpoints, by project. */
    models: mapOf(HostName, line(256), MOST_GATEWAY_SERVICES),
    hosts: mapOf(line(256), GatewayHost),
  }),
  frame('service', { run_id: uuid, service: nullable(GatewayService) }),
  /** Answer to `admit`. `user` null = refused. */
  frame('admitted', {
    n: whole(),
    user: nullable(line(256)),
    /** Names of the runs that the token is limited to; null = all of the project. */
    services: nullable(list(line(256))),
    status: whole(599),
    detail: messageText(),
    /** The service token of a caller of models, with its limits; null = a person's credentials. */
    token: optional(GatewayToken),
    /** When the token expires, in microseconds since the epoch; null = never. Earlier servers send none. */
    expires_at: optional(whole()),
  }),
  /** Answer to `is-token`. */
  frame('token', { n: whole(), own: flag }),
  /** The access of a user may have changed: remembered callers must be confirmed. */
  frame('access-changed', {}),
  frame('counted', { n: whole() }),
  frame('used', { n: whole() }),
  /** Answer to `why`: the refusal of a request for a service that does not answer. */
  frame('because', { n: whole(), status: whole(599), detail: messageText(), retry: whole() }),
  /** Answer to `rate`: requests that are allowed now, and milliseconds until the next one is. */
  frame('taken', { n: whole(), granted: whole(), wait_ms: amount }),
  frame('leave', { job_id: uuid }),
  /** Which requests of a service have ended since then; `after`: what was read last, by process. */
  frame('access', { n: whole(), run_id: uuid, after: mapOf(line(64), whole(), 1000) }),
  /** Wants the last lines of its logs, or those since an earlier answer. */
  frame('read-log', { n: whole(), lines: whole(GATEWAY_LOG_LINES), after: nullable(line(64)) }),
  /** Failed certificates are requested again at once; `domain` null = all names. */
  frame('renew', { n: whole(), domain: nullable(line(256)) }),
  /** Answer to `dns`. */
  frame('dns-done', { n: whole(), error: nullable(messageText()) }),
  /** A tunnel cannot be made. */
  frame('no-tunnel', { id: uuid, error: messageText() }),
);
export type GatewayCommand = Infer<typeof GatewayCommand>;

/** The same each time that the same things are sent; null = of an earlier version. */
const Batch = nullable(uuid);

/** Gateway -> server. */
export const GatewayFrame = byType(
  frame('status', {
    state: oneOf('ready', 'waiting', 'refused'),
    text: nullable(messageText()),
    version: line(256),
    /** Opens the jobs of its services; null = this gateway has none. */
    public_key: nullable(PublicKey),
    certificates: list(CertificateState, MOST_GATEWAY_SERVICES),
    /** Why nginx answers no requests itself although that is set; sent once. Earlier programs send none. */
    not_plain: optional(messageText()),
  }),
  /** `authorization`: the header of the client. `project`: whose services it wants to use. */
  frame('admit', {
    n: whole(),
    project: line(256),
    method: line(32),
    authorization: text(16 * 1024),
    /** The address of the client. */
    address: line(256),
    /** Which right is wanted; an earlier version asks for services alone. */
    kind: optional(oneOf('service', 'models', 'model')),
    /** Whether the program obeys `services` of the answer; an earlier version does not. */
    limits: nullable(flag),
  }),
  /** Whether a text is a token of the server, which apps must not receive. */
  frame('is-token', { n: whole(), text: text(16 * 1024) }),
  /** Requests of services that scale by demand, until `counted` names the number. */
  frame('counts', {
    n: whole(),
    batch: Batch,
    counts: list(object({ run_id: uuid, second: whole(), requests: momentary })),
    waiting: list(uuid),
    /** Milliseconds since the epoch by the clock of the gateway, which `second` is of. */
    sent_at: optional(whole()),
  }),
  /** Until `used` names the number. */
  frame('usage', { n: whole(), batch: Batch, uses: list(GatewayModelUse, 1000) }),
  /** Replaces what this worker has measured in these slots of time. */
  frame('load', {
    worker: line(64),
    slots: list(
      object({
        run_id: uuid,
        slot: whole(),
        busy_ms: busyTime,
        latencies: mapOf(LatencyBucket, momentary, 72),
      }),
    ),
    /** The same as in `counts`, for `slot`. */
    sent_at: optional(whole()),
  }),
  /** Replaces what was reported of these services; the counts of all others have not changed. */
  frame('figures', {
    services: list(GatewayCounts, FIGURES),
    /** The same as in `counts`, for the slices and `until`. Earlier programs send none. */
    sent_at: optional(whole()),
  }),
  /** Answer to `access`. */
  frame('accessed', { n: whole(), pages: AccessPages }),
  /** Answer to `read-log`. `next`: for the next question. `skipped`: lines before these are left out. */
  frame('log', {
    n: whole(),
    next: line(64),
    skipped: flag,
    lines: list(GatewayLogLine, GATEWAY_LOG_LINES),
  }),
  /** Answer to `renew`: the names of the certificates that are requested again. */
  frame('renewing', { n: whole(), domains: list(line(256), MOST_GATEWAY_SERVICES) }),
  /** Certificates that this replica has, for the other replicas. */
  frame('issued', { certificates: list(GatewayPem, MOST_GATEWAY_SERVICES) }),
  frame('why', { n: whole(), run_id: uuid }),
  /** Counts up to `most` requests of one key of a limit that all replicas share. */
  frame('rate', {
    n: whole(),
    /** The service; null = the limit is that of a token. */
    run_id: nullable(uuid),
    key: line(128),
    /** Requests per second, and how many may exceed that at a time. */
    rps: amount,
    burst: momentary,
    most: whole(1000, 1),
    /** Milliseconds for which the first of these requests has waited: they have come since then, not all now. */
    waited_ms: optional(whole(MOST_WAITED_MS)),
  }),
  /** Wants a TXT record, which the server sets by its hook. */
  frame('dns', {
    n: whole(),
    action: oneOf('add', 'remove'),
    name: ChallengeName,
    value: ChallengeValue,
  }),
  frame('idle', { job_id: uuid }),
  /** A replica answers with errors, and gets no requests for a while. */
  frame('avoided', {
    run_id: uuid,
    job_id: uuid,
    /** Milliseconds. */
    ms: whole(3_600_000),
    /** In a row; null = the rate is the cause. */
    errors: nullable(momentary),
    /** Parts of all recent answers, its own and those of other replicas. */
    rate: nullable(part),
    others: nullable(part),
  }),
  /** Wants a connection to a port of a job; the server takes it by a `tunnel` connection. */
  frame('tunnel', { id: uuid, host_id: line(256), job_id: uuid, port: Port }),
);
export type GatewayFrame = Infer<typeof GatewayFrame>;

/** The longest line. */
export const MAX_GATEWAY_LINE = 64 * 1024 * 1024;

/** Null for a type that only newer senders use. Throws `Malformed`. */
export const parseGatewayCommand = (message: string) => parseFrame(GatewayCommand, message);
export const parseGatewayFrame = (message: string) => parseFrame(GatewayFrame, message);
export const parseGatewayOpening = (message: string) => parseFrame(GatewayOpening, message);
