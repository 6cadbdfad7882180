/** The folders of dstack in the home directory of the cluster's login user, which all nodes share. */
import { shellQuote } from '@dstack/contract/shell';
import { isJobName } from './job-name.ts';

/** In a script: the folder of an instance. Throws for a name that is not one of ours. */
export function folderOf(name: string): string {
  if (!isJobName(name)) throw new Error(`no job of dstack: ${name}`);
  return `"$HOME"/.dstack/jobs/${shellQuote(name)}`;
}

/** In a script: the folder of the credentials for its image, which its container does not see. */
export function credentialsFolderOf(name: string): string {
  if (!isJobName(name)) throw new Error(`no job of dstack: ${name}`);
  return `"$HOME"/.dstack/credentials/${shellQuote(name)}`;
}

/** In it: what enroot reads, and the password alone. */
export const ENROOT_FILE = '.credentials';
export const PASSWORD_FILE = 'password';

export const JOBS = '"$HOME"/.dstack/jobs';
/** In it: a folder per server, with a file per claim. */
export const CLAIMS = '"$HOME"/.dstack/claims';

/** Files in the folder of an instance, which its container does not see. */
export const LOG_FILE = 'output.log';
/** Written when the containers of a job have ended. */
export const ENDED_FILE = 'ended';

/**
 * The folder in it that its container sees. The job can write there, also links to files of the login user,
 * so programs outside read only what `find` reports as a file, and write nothing.
 */
export const AGENT_FOLDER = 'agent';
/** Files in that one, with `.N` appended: the number of the node within the job. */
export const TOKEN_FILE = 'token';
export const TUNNEL_FILE = 'tunnel';

/** In a script: patterns of the tunnel files of a job. A job may create any number of others. */
export const tunnelPatterns = (folder: string): string =>
  ['[0-9]', '[0-9][0-9]', '[0-9][0-9][0-9]', '[0-9][0-9][0-9][0-9]']
    .map((rank) => `${folder}/${AGENT_FOLDER}/${TUNNEL_FILE}.${rank}`)
    .join(' ');

/** The address of an agent, which the agent writes to its tunnel file once it listens. */
export interface TunnelPlace {
  readonly host: string;
  readonly port: number;
}

/** Null: it is not complete, or not ours. */
export function tunnelPlace(text: string): TunnelPlace | null {
  try {
    const { host, port } = JSON.parse(text) as Record<string, unknown>;
    const isHost = typeof host === 'string' && /^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/.test(host);
    const isPort = Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536;
    return isHost && isPort ? { host, port: Number(port) } : null;
  } catch {
    // Half written.
    return null;
  }
}
