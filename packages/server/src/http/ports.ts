/**
 * The interfaces that the HTTP layer needs of the rest of the server. Small on purpose: consumers
 * declare them.
 */

import type { Backend } from '@dstack/backends';
import type { AcmeChallenge } from '@dstack/contract/agent';
import type { BackendType, ServerStatus } from '@dstack/contract/wire';
import type {
  BackendAnswers,
  BackendName,
  DecisionContext,
  Id,
  JobSpecSettings,
  OffersWanted,
  RunSpecSettings,
  Timestamp,
} from '@dstack/core';
import type {
  Intake,
  OriginPattern,
  ServiceOrigins,
  ServiceProxy,
  TemplateRenderer,
} from '@dstack/proxy';
import type { Store } from '@dstack/store';
import type { AccessWatch } from '../access/access-watch.ts';
import type { DraftedBlobs } from '../blobs/drafts.ts';
import type { CredentialReader } from '../callers/credentials.ts';
import type { SignInGuard } from '../callers/sign-in-guard.ts';
import type { GatewayDomains } from '../gateways/domain-proof.ts';
import type { GatewayFigures } from '../gateways/gateway-figures.ts';
import type { ReplicaQuestions } from '../gateways/replica-questions.ts';
import type { ReadTxt } from '../gateways/txt-records.ts';
import type { ImageConfigs } from '../images/image-configs.ts';
import type { LogPage, PollQuery } from '../logs/log-page.ts';
import type { LogStreamRef } from '../logs/log-store.ts';
import type { ProjectBackendsState, TryOut } from '../offers/project-backends.ts';
import type { SignInProviders } from '../oidc/sign-in-providers.ts';
import type { Logger } from '../process/logging.ts';
import type { OpenFiles } from '../process/open-files.ts';
import type { QueueDepth } from '../queues/work-queue.ts';
import type { RetentionPolicy } from '../retention/policy.ts';
import type { AvoidedReplicas } from '../service-table/avoided-replicas.ts';
import type { EntryRoute } from '../ssh-entry/entry-route.ts';
import type { TrafficPeers } from '../traffic/traffic-peers.ts';
import type { ConnectionRules } from './intake/open-connections.ts';
import type { TokenizerHub } from './runs/tokenizer-hub.ts';
import type { Shutdown } from './shutdown.ts';
import type { TemplateSource } from './templates/git-templates.ts';
import type { VolumeLooks } from './volumes/volume-looks.ts';
import type { WebFiles } from './web-ui/web-files.ts';

/** The dependencies of handlers; created once when the server starts. */
export interface HttpDeps {
  readonly store: Store;
  readonly logs: JobLogs;
  readonly offers: OfferAnswers;
  readonly backends: BackendStates;
  readonly images: Pick<ImageConfigs, 'find'>;
  readonly blobs: Pick<DraftedBlobs, 'has' | 'draft'>;
  readonly intake: Intake;
  readonly signIns: SignInGuard;
  readonly credentials: CredentialReader;
  /** Replicas that get no requests; nothing is known of them where it is missing. */
  readonly avoided?: Pick<AvoidedReplicas, 'among'>;
  /** Where clients on this computer reach this server, whichever process listens there; resolves once one does. */
  readonly ownUrl: () => Promise<string>;
  /** Host names of services; null: they have none. */
  readonly origins: ServiceOrigins | null;
  readonly providers: SignInProviders;
  readonly keys: KeyMaker;
  readonly context: () => DecisionContext;
  readonly templates: TemplateSource;
  readonly chatTemplates: Pick<TemplateRenderer, 'render'>;
  readonly hub: TokenizerHub;
  /** By the DNS servers that gateways use too. */
  readonly readTxt: ReadTxt;
  /** The same for addresses. Null: the name leads to the gateway; otherwise the record to create. */
  readonly findDnsProblem: (
    name: string,
    gateway: { readonly address: string | null; readonly isOwn: boolean },
  ) => Promise<string | null>;
  readonly services: Pick<
    ServiceProxy,
    | 'admit'
    | 'forward'
    | 'undelivered'
    | 'upgrade'
    | 'ask'
    | 'isOpenToOrigins'
    | 'find'
    | 'load'
    | 'limitRate'
    | 'takeRate'
    | 'state'
    | 'accepts'
    | 'countModel'
    | 'accessSince'
  >;
  readonly gatewayFigures: Pick<GatewayFigures, 'of'>;
  /** Requests of services in the last minute, by all servers and gateways that have counted them. */
  readonly traffic: TrafficPeers['gather'];
  /** See `ReplicaQuestions.ask`. */
  readonly askReplica: ReplicaQuestions['ask'];
  /** Bodies of requests to models: the folder for large ones, and their limit in bytes. */
  readonly modelBodies: { readonly dir: string; readonly limit: number };
  /** Null: switched off. */
  readonly metrics: MetricsText | null;
  /** Null: the web UI has not been built. */
  readonly webUi: WebFiles | null;
  /** The folder of the documentation's site; default that of the product. */
  readonly docsSite?: string;
  /** Ends streams and requests of callers whose access is revoked. */
  readonly access: AccessWatch;
  readonly shutdown: Shutdown;
  readonly files: Pick<OpenFiles, 'admitWork' | 'open' | 'limit'>;
  readonly connections: ConnectionRules;
  readonly loopsAreRunning: () => boolean;
  /** Seconds by which the clock of the server's host is too far ahead of the database's; 0: it is not. */
  readonly clockLead: () => number;
  /** The program that answers requests to services. */
  readonly serviceEngine: () => NonNullable<ServerStatus['service_engine']>;
  /** Keys by kind of work; null before the loops start. */
  readonly queues: () => Readonly<Record<string, QueueDepth>> | null;
  readonly volumeLooks: Pick<VolumeLooks, 'at'>;
  /** Called when an SSH fleet is planned, so that the files for its hosts can be prepared. */
  readonly expectHosts: () => void;
  readonly settings: HttpSettings;
  readonly log: Logger;
}

export interface HttpSettings {
  /**
   * Maximum size of one uploaded archive or diff in bytes, including the multipart frame; 0 = no
   * limit.
   */
  readonly codeUploadLimit: number;
  readonly projectsPerUser: number;
  /** How long the server keeps things after their end. */
  readonly retention: RetentionPolicy;
  readonly permissions: PermissionDefaults;
  /** Names of projects, in lower case, that may run jobs on the server's machine. */
  readonly localProjects: ReadonlySet<string>;
  /** See `WaitingLimit`; 0 = no limit. */
  readonly waitingRunsPerUser: number;
  readonly runSpecs: RunSpecSettings;
  readonly jobSpecs: JobSpecSettings;
  /** Registry of images without one; null = Docker's own. */
  readonly defaultRegistry: string | null;
  /** The answer of `list_types`: backends that this server supports, in the order of the API. */
  readonly backendTypes: readonly BackendType[];
  /** Whether `creds.type: default` may be used: the credentials of the server's environment. */
  readonly defaultCredentials: boolean;
  readonly maxGatewayReplicas: number;
  /** Domains that projects have in the zone of the operator's DNS hook. */
  readonly gatewayDomains: GatewayDomains;
  /** How gateways prove their names. */
  readonly acmeChallenge: AcmeChallenge;
  /** Where gateways on hosts listen. */
  readonly gatewayPorts: { readonly http: number; readonly https: number };
  /** Static token of the SSH proxy; null = its endpoint refuses every caller. */
  readonly sshProxyToken: string | null;
  /** The server's own SSH entry; null = there is none. */
  readonly sshEntry: EntryRoute | null;
  /** Addresses of services with host names of their own; null = they have none. */
  readonly serviceOrigins: OriginPattern | null;
  /** Wrong tokens per minute that one address may send; 0 = no limit. */
  readonly failedLoginsPerMinute: number;
  /** Proxies whose `X-Forwarded-*` headers are used; empty = none. */
  readonly trustedProxies: readonly string[];
  /** Public URL of the server; null = not configured. */
  readonly url: string | null;
  /** Bearer token that `/metrics` requires; null = it is public. */
  readonly metricsToken: string | null;
  /** Repository of templates for projects without one; null = there is none. */
  readonly templatesRepo: string | null;
}

/** The text that Prometheus reads. */
export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

/** `default_permissions` of the server's configuration. */
export interface PermissionDefaults {
  readonly allow_non_admins_create_projects: boolean;
  readonly allow_non_admins_manage_ssh_fleets: boolean;
  readonly allow_managers_manage_secrets: boolean;
}

/** Pages of a job's log. Throws `LogStoreError`. */
export interface JobLogs {
  poll(ref: LogStreamRef, query: PollQuery): Promise<LogPage>;
}

/** Requests from the backends of a project the offers of a plan. */
export interface OfferAnswers {
  answer(
    projectId: Id,
    wanted: readonly OffersWanted[],
    limitMs?: number | null,
  ): Promise<BackendAnswers>;
}

/** The backends of a project, and their known state without requests to them. */
export interface BackendStates {
  of(projectId: Id): Promise<readonly Backend[]>;
  state(projectId: Id): Promise<ProjectBackendsState>;
  /** Null: the project has no such backend. */
  find(projectId: Id, name: BackendName): Promise<Pick<Backend, 'gateways'> | null>;
  readonly tryOut?: TryOut;
}

/** Makes key pairs. */
export interface KeyMaker {
  /** RSA-2048: PKCS#8 PEM and one OpenSSH line that ends in the comment and a line break. */
  user(comment: string): Promise<KeyPair>;
  /** Ed25519, in OpenSSH's own format. */
  project(comment: string): Promise<KeyPair>;
}

export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

export type { Timestamp };
