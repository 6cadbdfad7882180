import { randomUUID } from 'node:crypto';
import type { ServerConfig } from '@dstack/contract';
import { errorMessage } from '@dstack/contract/error-message';
import { assemble } from './assembly/assemble.ts';
import { openDatabase } from './assembly/open-database.ts';
import { ClosingSteps, type Parts } from './assembly/parts.ts';
import type { LocalMode } from './assembly/server-host.ts';
import { ClockWatch } from './clock/clock-watch.ts';
import { OutageWatch } from './clock/outage-watch.ts';
import { servedTime } from './clock/served-time.ts';
import { systemClock } from './clock/system-clock.ts';
import { checkAdminToken } from './config/admin-token.ts';
import { loadServerConfig } from './config/config-file.ts';
import { encryptionKeys, encryptionWarning, environmentKey } from './config/encryption-keys.ts';
import { forbiddenPath, isDiskFull, isOutOfFiles } from './process/disk-trouble.ts';
import { checkAddress } from './process/listen.ts';
import { createLogger, type Logger } from './process/logging.ts';
import { OpenFiles } from './process/open-files.ts';
import { makeServerDir } from './process/server-dir.ts';
import { serverConfigPath } from './process/server-folders.ts';
import { StartError } from './process/start-error.ts';
import { checkServerAddress } from './proxy-workers/held-address.ts';
import { nginxHere } from './proxy-workers/nginx/server-nginx.ts';
import { canOutliveServer, thisProcess } from './proxy-workers/outlives-server.ts';
import {
  type CommandLineSettings,
  compileSettings,
  type ServerSettings,
} from './settings/settings.ts';
import { variableWarnings } from './settings/variable-warnings.ts';

export interface RunningServer {
  /** URL for clients, `http://127.0.0.1:3000`. */
  readonly url: string;
  readonly adminToken: string;
  /** The token is new: show it now, it will not be shown again. */
  readonly firstStart: boolean;
  /** Project to offer to the command line as its default. */
  readonly projectName: string;
  /** Null: only if no other project is the default. */
  readonly updateDefaultProject: boolean | null;
  readonly local: LocalMode;
  /** Unsafe settings of this start. */
  readonly warnings: readonly string[];
  readonly configPath: string;
  readonly log: Logger;
  /**
   * Ends requests and pending passes; jobs continue. `keepsServices`: requests to services continue too,
   * for a server that is started soon.
   */
  close(options?: { readonly keepsServices: boolean }): Promise<void>;
}

/** Throws `StartError` or `SettingsError` with a message for the user who started it. */
export async function startServer(
  options: CommandLineSettings = {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<RunningServer> {
  const settings = compileSettings(env, options);
  try {
    return await start(settings, env);
  } catch (error) {
    throw startError(error, settings) ?? error;
  }
}

/** The next step of the user where the disk or the limit of open files is the cause; null for everything else. */
function startError(error: unknown, settings: ServerSettings): StartError | null {
  if (isDiskFull(error)) {
    return new StartError(`no space left on the disk of ${settings.dir} or of the database`, {
      next: 'make room and start again; nothing was lost',
      cause: error,
    });
  }
  if (isOutOfFiles(error)) {
    return new StartError('the server may not open as many files as it needs to start', {
      next: 'raise its limit: LimitNOFILE of its systemd unit, or `ulimit -n` before it starts',
      cause: error,
    });
  }
  const path = forbiddenPath(error);
  if (path === null) return null;
  return new StartError(`${path} cannot be used: ${errorMessage(error)}`, {
    next: 'let this user read and write there, or set DSTACK_SERVER_DIR',
    cause: error,
  });
}

async function start(settings: ServerSettings, env: NodeJS.ProcessEnv): Promise<RunningServer> {
  const log = createLogger({ level: settings.logLevel, format: settings.logFormat });
  if (settings.proxy === 'nginx') nginxHere();
  await checkServerAddress(settings);
  if (settings.sshEntry) await checkAddress(settings.sshEntry.listen, 'DSTACK_SERVER_SSH_PORT');
  await makeServerDir(settings.dir);
  const fromEnvironment = environmentKey(env);
  const { config, warnings: misread } = settings.configDisabled
    ? { config: EMPTY, warnings: [] }
    : await loadServerConfig(settings.dir, {
        makeKey: fromEnvironment === null,
        sim: settings.sim,
      });
  const keys = encryptionKeys(fromEnvironment, config);
  const store = await openDatabase(settings, keys, log);
  const closing = new ClosingSteps();
  // A start that fails does not end what an earlier server has left running.
  let keepsServices = true;
  closing.add(() => store.close());
  try {
    const files = new OpenFiles({ log });
    closing.add(() => files.close());
    await followTime({ store, log, closing, files });
    const warnings = [
      ...misread,
      encryptionWarning(keys, settings.configDisabled),
      await checkAdminToken(store, settings),
      ...variableWarnings(env),
    ];
    const { main, url, local } = await assemble({
      ...{ settings, log, config, store, env, closing, files },
      keepsServices: () => keepsServices,
    });
    return {
      url: settings.url ?? url,
      adminToken: main.adminToken,
      firstStart: main.firstStart,
      projectName: 'main',
      updateDefaultProject: settings.updateDefaultProject,
      local,
      warnings: warnings.filter((text) => text !== null),
      configPath: serverConfigPath(settings.dir),
      log,
      close: (options) => {
        keepsServices = options?.keepsServices === true && canOutliveServer(thisProcess());
        return closing.run();
      },
    };
  } catch (error) {
    await closing.run();
    throw error;
  }
}

/** Before anything is decided: several servers share the time of their database. */
async function followTime({
  store,
  log,
  closing,
  files,
}: Pick<Parts, 'store' | 'log' | 'closing' | 'files'>): Promise<void> {
  const watch = new ClockWatch({
    clock: systemClock,
    monotonic: () => performance.now(),
    database: store.shared ? () => store.engine.time() : null,
    log,
  });
  closing.add(() => watch.close());
  await watch.start();
  const outages = new OutageWatch({
    ...{ clock: systemClock, ...servedTime(store), log },
    ...{ owner: randomUUID(), isShort: () => files.isShort },
  });
  await outages.start();
  closing.add(() => outages.close());
}

const EMPTY: ServerConfig = {
  projects: [],
  encryption: null,
  default_permissions: null,
  plugins: null,
};
