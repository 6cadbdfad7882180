import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { localBackend, loadCatalog, inspectMachine, LOCAL_HOST_ID } from '@dstack/backends';
import { type DecisionContext, requirementsMatch } from '@dstack/core';
import { openStore, type Store, StoreError } from '@dstack/store';
import { programs } from './assets.ts';
import { type BlobStore, fileBlobs, tableBlobs } from './blobs/blob-store.ts';
import { systemNow } from './clock.ts';
import { applyServerConfig, type Bootstrapped, bootstrap } from './config/bootstrap.ts';
import { createCipher, MissingKeyError } from './config/cipher.ts';
import { loadServerConfig, type ServerConfig } from './config/config-file.ts';
import { effects } from './effects/effects.ts';
import { JobStarter } from './effects/start-job.ts';
import { Hosts } from './hosts/hosts.ts';
import { localAgent } from './hosts/local-agent.ts';
import { localExecutor } from './hosts/local-executor.ts';
import { buildHttp } from './http/app.ts';
import { createLogger, type Logger } from './logging.ts';
import { openLogs } from './logs/open-logs.ts';
import { Engine } from './loops/engine.ts';
import { instanceOffers } from './offers/instance-offers.ts';
import { offerSource } from './offers/offer-source.ts';
import { projectBackends } from './offers/project-backends.ts';
import { compileSettings, listensOnLoopback, type ServerOptions, type ServerSettings } from './settings.ts';
import { StartError } from './start-error.ts';

export interface RunningServer {
  /** Where it listens, `http://127.0.0.1:3000`. */
  readonly url: string;
  readonly adminToken: string;
  /** The token is new: show it now, it is not shown again. */
  readonly firstStart: boolean;
  /** Project to offer to the command line as its default. */
  readonly projectName: string;
  /** Null: only if no other project is the default. */
  readonly updateDefaultProject: boolean | null;
  readonly local: 'docker' | 'process' | null;
  readonly configPath: string;
  readonly log: Logger;
  /** Ends requests and passes under way; jobs go on. */
  close(): Promise<void>;
}
