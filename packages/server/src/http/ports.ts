/** What the HTTP layer needs of the rest of the server. Small on purpose: consumers declare. */

import type { BackendType } from '@dstack/contract/wire';
import type {
  BackendAnswers,
  DecisionContext,
  Id,
  JobSpecSettings,
  OffersWanted,
  RunSpecSettings,
  Timestamp,
} from '@dstack/core';
import type { Store } from '@dstack/store';
import type { AccessWatch } from '../access/access-watch.ts';
import type { DraftedBlobs } from '../blobs/drafts.ts';
import type { ImageConfigs } from '../images/image-configs.ts';
import type { Logger } from '../logging.ts';
import type { LogPage, PollQuery } from '../logs/log-page.ts';
import type { LogStreamRef } from '../logs/log-store.ts';
import type { ProjectBackendsState } from '../offers/project-backends.ts';
import type { ServiceProxy } from '../proxy/service-proxy.ts';
import type { Intake } from './intake/intake.ts';
import type { TemplateRenderer } from './proxy/models/template-renderer.ts';
import type { TokenizerHub } from './runs/tokenizer-hub.ts';
import type { Shutdown } from './shutdown.ts';
import type { SignInGuard } from './sign-in-guard.ts';
import type { TemplateSource } from './templates/git-templates.ts';

/** Everything that handlers may use; made once when the server starts. */
export interface HttpDeps {
  readonly store: Store;
  readonly logs: JobLogs;
  readonly offers: OfferAnswers;
  readonly backends: BackendStates;
  readonly images: Pick<ImageConfigs, 'find'>;
  readonly blobs: Pick<DraftedBlobs, 'has' | 'draft'>;
  readonly intake: Intake;
  readonly signIns: SignInGuard;
  readonly keys: KeyMaker;
  readonly context: () => DecisionContext;
  readonly templates: TemplateSource;
  readonly chatTemplates: Pick<TemplateRenderer, 'render'>;
  readonly hub: TokenizerHub;
  readonly services: Pick<ServiceProxy, 'admit' | 'forward' | 'upgrade' | 'ask'>;
  /** Null: switched off. */
  readonly metrics: MetricsText | null;
  /** Ends streams and requests of callers whose access is revoked. */
  readonly access: AccessWatch;
  readonly shutdown: Shutdown;
  readonly loopsAreRunning: () => boolean;
  /** An SSH fleet is planned: what its hosts will be given can be made ready by the answer. */
  readonly expectHosts: () => void;
  readonly settings: HttpSettings;
  readonly log: Logger;
}

export interface HttpSettings {
  /** Bytes of one uploaded archive or diff, the multipart frame included; 0 = no limit. */
  readonly codeUploadLimit: number;
  readonly projectsPerUser: number;
  readonly permissions: DefaultPermissions;
  /** Names of projects, in lower case, that may run jobs on the server's machine. */
  readonly localProjects: ReadonlySet<string>;
  readonly runSpecs: RunSpecSettings;
  readonly jobSpecs: JobSpecSettings;
  /** Registry of images that name none; null = Docker's own. */
  readonly defaultRegistry: string | null;
  /** What `list_types` tells: backends that this server can work with, in the wire's order. */
  readonly backendTypes: readonly BackendType[];
  /** Whether `creds.type: default` may be used: the credentials of the server's environment. */
  readonly defaultCredentials: boolean;
  readonly maxGatewayReplicas: number;
  /** Static token of the SSH proxy; null = its endpoint refuses everybody. */
  readonly sshProxyToken: string | null;
  /** Wrong tokens that one address may send in a minute; 0 = no limit. */
  readonly failedLoginsPerMinute: number;
  /** Whose `X-Forwarded-*` headers tell who the caller is; none = nobody's. */
  readonly trustedProxies: readonly string[];
  /** Bearer that `/metrics` asks for; null = it is open. */
  readonly metricsToken: string | null;
  /** Repository with templates of projects that name none; null = there is none. */
  readonly templatesRepo: string | null;
}

/** Everything that Prometheus reads. */
export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

/** `default_permissions` of the server's configuration. */
export interface DefaultPermissions {
  readonly allow_non_admins_create_projects: boolean;
  readonly allow_non_admins_manage_ssh_fleets: boolean;
  readonly allow_managers_manage_secrets: boolean;
}

/** Pages of a job's log. Throws `LogStoreError`. */
export interface JobLogs {
  poll(ref: LogStreamRef, query: PollQuery): Promise<LogPage>;
}

/** Asks the backends of a project for the offers that a plan wants. */
export interface OfferAnswers {
  answer(
    projectId: Id,
    wanted: readonly OffersWanted[],
    limitMs?: number | null,
  ): Promise<BackendAnswers>;
}

/** What is known of a project's backends without asking them. */
export interface BackendStates {
  state(projectId: Id): Promise<ProjectBackendsState>;
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
