/** Credentials from a program that the kubeconfig names, as EKS, GKE and AKS have it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { errorMessage } from '@dstack/contract/error-message';
import { CredentialsError } from '../../base/errors.ts';
import type { Credential } from './credential.ts';

export interface ExecPlugin {
  readonly apiVersion?: string;
  readonly command?: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
}

const run = promisify(execFile);
const LIMIT_MS = 20_000;
/** A credential is renewed this long before it expires. */
const MARGIN_MS = 60_000;

interface Answer {
  readonly status?: {
    readonly token?: string;
    readonly clientCertificateData?: string;
    readonly clientKeyData?: string;
    readonly expirationTimestamp?: string;
  };
}

/** The program runs again when its credential expires; requests meanwhile share one run. */
export function execCredential(context: string, plugin: ExecPlugin): () => Promise<Credential> {
  let current: { readonly credential: Promise<Credential>; expiresAt: number } | null = null;
  return async () => {
    if (current && Date.now() < current.expiresAt - MARGIN_MS) return await current.credential;
    const asked = ask(context, plugin);
    const mine = { credential: asked.then(({ credential }) => credential), expiresAt: Infinity };
    current = mine;
    mine.credential.catch(() => {
      if (current === mine) current = null;
    });
    mine.expiresAt = (await asked).expiresAt;
    return await mine.credential;
  };
}

async function ask(
  context: string,
  plugin: ExecPlugin,
): Promise<{ readonly credential: Credential; readonly expiresAt: number }> {
  const { command, args, env, apiVersion } = plugin;
  if (!command) throw new CredentialsError(`context ${context}: exec names no command`);
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const own = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
  try {
    const { stdout } = await run(command, [...(args ?? [])], {
      env: { ...process.env, ...own, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
      timeout: LIMIT_MS,
    });
    const { status } = JSON.parse(stdout) as Answer;
    if (!status) throw new Error('it printed no status');
    const { token, clientCertificateData, clientKeyData, expirationTimestamp } = status;
    return {
      credential: {
        authorization: token ? `Bearer ${token}` : null,
        cert: clientCertificateData ?? null,
        key: clientKeyData ?? null,
      },
      expiresAt: expirationTimestamp ? Date.parse(expirationTimestamp) : Infinity,
    };
  } catch (error) {
    throw new CredentialsError(`context ${context}: ${command} failed: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
