/**
 * Programs of gateways. The agent starts one per gateway replica on its host, keeps it running, and leads
 * the server to it; requests of clients do not pass through the agent.
 *
 * A connection begins with one line of JSON from the server, `GatewayOpening`. A `control` connection
 * then carries frames, one JSON object per line: `GatewayCommand` downwards and `GatewayFrame` upwards.
 * A `tunnel` is taken by the server for a request that only the server can deliver.
 */
import * as z from 'zod/mini';
import { SHARED_PATH } from '../grammar/host-path.ts';
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

/** A name in DNS, lower case; the only form that reaches the configuration of nginx. */
export const HostName = z
  .string('is not a string')
  .check(
    z.regex(
      /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      'is not a host name',
    ),
  );

const Port = whole(65_535, 1);
const SERVICES = 10_000;
const REPLICAS = 10_000;

/** Far more than a gateway can count, and small enough that sums of them stay exact. */
const count = whole(1_000_000_000_000);
/** Requests at one moment, or within some seconds. */
const momentary = whole(10_000_000);
/** From 0 to 1. */
const part = amount.check(z.maximum(1, 'is more than a whole'));
/** Milliseconds since the epoch that are a date. */
const instant = whole(8_640_000_000_000_000);
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

/** How a gateway proves that a name leads to it. */
export const ACME_CHALLENGES = ['http-01', 'tls-alpn-01', 'dns-01'] as const;
export type AcmeChallenge = (typeof ACME_CHALLENGES)[number];

/** The digest that a TXT record of a name shows to an authority. */
const ChallengeValue = textLike(/^[A-Za-z0-9_-]{43}$/, 'is not the digest of a challenge');
const ChallengeName = textLike(
  /^_acme-challenge(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/,
  'is not the name of a challenge',
);

/** How certificates come to the gateway. */
export const AcmeSettings = object({
  /** Null: http-01. */
  challenge: nullable(oneOf(...ACME_CHALLENGES)),
  /** Seconds until DNS must show a record that the server has set. */
  dns_wait: nullable(whole(3600)),
  directory: line(2048),
  eab_kid: nullable(line(1024)),
  eab_hmac_key: nullable(line(4096)),
  /**
   * PEM; the account of all replicas, so that each can answer the questions of the authority about the
   * requests of the others. Null: the replica has an account of its own.
   */
  account_key: nullable(text()),
  /** Certificates of a private authority in PEM, which the directory's own certificate is checked with. */
  ca: nullable(text()),
});
export type AcmeSettings = Infer<typeof AcmeSettings>;

export const GatewaySettings = object({
  http_port: Port,
  https_port: Port,
  /** Install a missing nginx. */
  install: flag,
  /** Null: no certificates are requested. */
  acme: nullable(AcmeSettings),
  /** Services may be served by TLS. */
  tls: flag,
  /** Address that DNS must have; null = it is not known. */
  address: nullable(line(256)),
  /** Those of the other replicas, where DNS may lead instead. */
  other_addresses: nullable(list(line(256), 100)),
  /**
   * How many other replicas are to request a certificate before this one does, so that they do not all
   * request the same. Null: none.
   */
  turn: nullable(whole(100)),
  /** `host:port` of the DNS server for the check of names; null = the system's. */
  dns: nullable(line(256)),
  /** Seconds during which known callers are admitted while the server does not answer. */
  auth_age: whole(),
  /** Bytes of a body; 0 = no limit. */
  max_body: whole(),
  /** Milliseconds without a byte after which a request fails. */
  timeout_ms: whole(),
  /** Seconds for which browsers are to ask by HTTPS alone; 0 = no limit of that kind. Earlier servers send none. */
  hsts: optional(whole()),
  /** Who answers requests that need no judgement: nginx itself, where it can. Earlier servers send none: workers. */
  proxy: optional(oneOf('nginx', 'workers')),
  /** How many replicas of the gateway share its rate limits, which the server counts then. Earlier servers send none. */
  replicas: optional(whole(1000)),
});
export type GatewaySettings = Infer<typeof GatewaySettings>;

/** Certificate and key that a person has set, for a host name or `*.` and a host name. */
export const GatewayPem = object({ domain: line(256), certificate: text(), key: text() });
export type GatewayPem = Infer<typeof GatewayPem>;

/** The way of a user to a job, through the sshd of its host. */
export const GatewayTunnel = object({
  hostname: line(256),
  port: Port,
  user: line(256),
  /** Base64. */
  host_key: line(4096),
  /** The port of the SSH server of the job. */
  job_port: Port,
  job_host_key: line(4096),
});
export type GatewayTunnel = Infer<typeof GatewayTunnel>;

export const GatewayReplicaRoute = object({
  job_id: uuid,
  host_id: line(256),
  port: Port,
  /** Microseconds since the epoch. */
  running_at: whole(),
  failing: flag,
  /** Null: the gateway cannot reach it by itself. */
  tunnel: nullable(GatewayTunnel),
});
export type GatewayReplicaRoute = Infer<typeof GatewayReplicaRoute>;

const SharedPath = textLike(SHARED_PATH, 'is not the path of a service');

export const GatewayService = object({
  run_id: uuid,
  project: line(256),
  run: line(256),
  host: HostName,
  https: flag,
  /** Further names of its own; null = none. */
  custom_hosts: nullable(list(HostName, 16)),
  /** Paths at names that it shares with other services; null = none. */
  custom_paths: nullable(list(object({ host: HostName, path: SharedPath }), 16)),
  /** The part of the run's configuration that the proxy reads, as JSON. */
  configuration: text(1024 * 1024),
  /** Microseconds since the epoch. Earlier servers send none. */
  submitted_at: optional(whole()),
  /** Whether the run is running. Earlier servers send nothing of it. */
  running: optional(flag),
  replicas: list(GatewayReplicaRoute, REPLICAS),
});
export type GatewayService = Infer<typeof GatewayService>;

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

/** How the gateway reaches the agent of a host; for hosts that are not named, through the server. */
export const GatewayHost = object({ socket: line(256), token: line(1024) });
export type GatewayHost = Infer<typeof GatewayHost>;

/** See `ModelToken` of the proxy. */
export const GatewayToken = object({
  id: uuid,
  name: line(256),
  models: nullable(list(line(1024), 1000)),
  requests_per_minute: nullable(amount),
  has_budget: flag,
  used_up: nullable(object({ text: messageText(), retry_after: whole() })),
});
export type GatewayToken = Infer<typeof GatewayToken>;

/** Server -> gateway. */
export const GatewayCommand = byType(
  frame('settings', {
    settings: GatewaySettings,
    certificates: list(GatewayPem, 100),
    /** Requested by this replica or by others of the gateway. */
    issued: nullable(list(GatewayPem, SERVICES)),
  }),
  /** All services; those that are not listed have left the gateway. */
  frame('services', {
    services: list(GatewayService, SERVICES),
    /** Names of the model endpoints, by project. */
    models: mapOf(HostName, line(256), SERVICES),
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

export const CertificateState = object({
  domain: line(256),
  source: oneOf('acme', 'file'),
  state: oneOf('valid', 'pending', 'failed', 'expired'),
  expires_at: nullable(whole()),
  renews_at: nullable(whole()),
  /** It is valid, but its end is near, and there is no other one. */
  ends_soon: nullable(flag),
  message: nullable(messageText()),
});
export type CertificateState = Infer<typeof CertificateState>;

/** The tokens that requests of one user to one model have used on one day. */
export const GatewayModelUse = object({
  project: line(256),
  user: line(256),
  /** The service token that was used; null = another credential. Earlier programs send none. */
  token: optional(uuid),
  model: line(1024),
  /** Days since the epoch, in UTC. */
  day: whole(),
  requests: count,
  /** Requests whose answer the client did not receive completely. */
  aborted: count,
  /** Requests for which the model did not report tokens. */
  estimated: count,
  prompt_tokens: count,
  completion_tokens: count,
});
export type GatewayModelUse = Infer<typeof GatewayModelUse>;

/** Services in one message of figures. */
export const FIGURES = 500;

/** See `LatencyTotals` of the proxy. */
const Latencies = object({ seconds: amount, counts: list(count, 50) });
/** Pairs of a bucket and its count. */
const Buckets = list(list(count, 2), 100);

/** Ended requests since the program started, and their latencies in the last minute. */
const CountedRequests = object({
  answered: mapOf(
    textLike(/^([1-9]xx|failed|dropped)$/, 'is not an outcome of requests'),
    count,
    20,
  ),
  /** The latencies of all requests. Earlier programs send none. */
  latencies: optional(Latencies),
  /** `errors`: answers by 5xx; earlier programs send none. */
  slices: list(object({ number: whole(), count, errors: optional(count), buckets: Buckets }), 20),
});

/** What one replica has answered: see `ReplicaTotals` of the proxy. */
const ReplicaCounts = object({
  answered: mapOf(textLike(/^([1-9]xx|failed)$/, 'is not an outcome of requests'), count, 20),
  latencies: Latencies,
});

/** What answers of models have used: in total, and in the last minute before the message. */
const CountedModel = object({
  answers: count,
  prompt_tokens: count,
  completion_tokens: count,
  /** Times to the first part of streamed answers. */
  first: Latencies,
  recent: object({
    answers: count,
    prompt_tokens: count,
    completion_tokens: count,
    buckets: Buckets,
  }),
});

/** A replica that has had requests in the last minute, or gets none. */
export const GatewayReplicaState = object({
  job_id: uuid,
  in_flight: momentary,
  /** Why it gets no requests; null = it gets some. */
  avoided: nullable(
    object({
      /** Milliseconds since the epoch. */
      until: instant,
      /** In a row; null = another cause. */
      errors: nullable(momentary),
      /** Parts of all recent answers, its own and those of other replicas; null = it refuses connections. */
      rate: nullable(part),
      others: nullable(part),
    }),
  ),
  /** The last minute before the message; null = the program does not count by replica. */
  recent: nullable(object({ requests: count, errors: count, buckets: Buckets })),
});
export type GatewayReplicaState = Infer<typeof GatewayReplicaState>;

/** The requests of a service. */
export const GatewayCounts = object({
  run_id: uuid,
  in_flight: momentary,
  held: momentary,
  ejected: whole(REPLICAS),
  /** Replicas with requests, or that get none. Earlier programs send none. */
  replica_states: optional(list(GatewayReplicaState, REPLICAS)),
  /** Null: no model of it has answered. The same. */
  model: optional(CountedModel),
  requests: CountedRequests,
  /** Copies of its requests for another service. */
  mirrored: CountedRequests,
  /** By the id of the job. Earlier programs send none. */
  replicas: optional(mapOf(uuid, ReplicaCounts, 1000)),
});
export type GatewayCounts = Infer<typeof GatewayCounts>;

/** The latest requests of a service that a process of the gateway has answered, from number `next - length` on. */
export const AccessPages = list(
  object({
    process: line(64),
    next: whole(),
    skipped: whole(),
    records: list(
      object({
        time: instant,
        method: messageText(32),
        path: messageText(1000),
        status: whole(599),
        ms: amount,
        user: nullable(messageText(256)),
        address: messageText(256),
        request_id: messageText(256),
        /** The replica that answered. Earlier programs send none. */
        job_id: optional(uuid),
      }),
      200,
    ),
  }),
  100,
);
export type AccessPages = Infer<typeof AccessPages>;

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
    certificates: list(CertificateState, SERVICES),
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
  frame('renewing', { n: whole(), domains: list(line(256), SERVICES) }),
  /** Certificates that this replica has, for the other replicas. */
  frame('issued', { certificates: list(GatewayPem, SERVICES) }),
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
