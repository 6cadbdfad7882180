/** Clusters of a kubeconfig, as far as a server uses them. */
import { readFileSync } from 'node:fs';
import { readForeignYaml } from '@dstack/contract';
import { CredentialsError } from '../../base/errors.ts';
import type { Credential } from './credential.ts';
import { type ExecPlugin, execCredential } from './exec-credential.ts';

/** One context of a kubeconfig. */
export interface ClusterAccess {
  readonly context: string;
  readonly server: URL;
  /** Namespace of the context; null = it names none. */
  readonly namespace: string | null;
  /** PEM; null = the authorities that Node knows. */
  readonly ca: string | null;
  readonly verifies: boolean;
  /** The name in the certificate of the API server; null = that of the URL. */
  readonly serverName: string | null;
  readonly credential: () => Promise<Credential>;
}

interface Named<T> {
  readonly name?: unknown;
  readonly value: T | null;
}

type Fields = Readonly<Record<string, unknown>>;

/** The parsed file, whose contexts are found by name. Throws `CredentialsError`. */
export interface Kubeconfig {
  readonly current: string | null;
  context(name: string): ClusterAccess;
}

export function readKubeconfig(text: string): Kubeconfig {
  const file = fieldsOf(parsed(text));
  const clusters = named(file.clusters, 'cluster');
  const users = named(file.users, 'user');
  const contexts = named(file.contexts, 'context');
  return {
    current: textOf(file['current-context']),
    context(name) {
      const context = find(contexts, name, 'context');
      const cluster = find(clusters, textOf(context.cluster) ?? '', 'cluster');
      const userName = textOf(context.user);
      const user = userName === null ? {} : find(users, userName, 'user');
      return {
        context: name,
        server: serverOf(name, cluster),
        namespace: textOf(context.namespace),
        ca: content(cluster, 'certificate-authority'),
        verifies: cluster['insecure-skip-tls-verify'] !== true,
        serverName: textOf(cluster['tls-server-name']),
        credential: credentialOf(name, user),
      };
    },
  };
}

function parsed(text: string): unknown {
  const document = readForeignYaml(text);
  if (document.ok) return document.value;
  throw new CredentialsError('the kubeconfig is not YAML');
}

function serverOf(context: string, cluster: Fields): URL {
  const server = textOf(cluster.server) ?? '';
  if (!URL.canParse(server)) {
    throw new CredentialsError(`context ${context}: its cluster has no valid URL as server`);
  }
  if (textOf(cluster['proxy-url']) !== null) {
    throw new CredentialsError(`context ${context}: proxy-url is not supported; remove it`);
  }
  return new URL(server);
}

/** Tokens in files are read again each time: the cluster renews them. */
function credentialOf(context: string, user: Fields): ClusterAccess['credential'] {
  const cert = content(user, 'client-certificate');
  const key = content(user, 'client-key');
  const tokenFile = textOf(user.tokenFile);
  const plugin = user.exec as ExecPlugin | undefined;
  if (user['auth-provider'] !== undefined) {
    throw new CredentialsError(
      `context ${context}: auth-provider was removed from Kubernetes; use exec or a token`,
    );
  }
  if (plugin) return execCredential(context, plugin);
  const bearer = (token: string | null) => (token === null ? null : `Bearer ${token.trim()}`);
  return async () => ({
    ...{ cert, key },
    authorization:
      bearer(tokenFile === null ? textOf(user.token) : readFileSync(tokenFile, 'utf8')) ??
      basic(textOf(user.username), textOf(user.password)),
  });
}

function basic(user: string | null, password: string | null): string | null {
  if (user === null) return null;
  return `Basic ${Buffer.from(`${user}:${password ?? ''}`).toString('base64')}`;
}

/** The PEM text of a field, which is in the file itself or in another one. */
function content(fields: Fields, name: string): string | null {
  const data = textOf(fields[`${name}-data`]);
  if (data !== null) return Buffer.from(data, 'base64').toString('utf8');
  const path = textOf(fields[name]);
  if (path === null) return null;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CredentialsError(`the kubeconfig names a file that the server cannot read: ${path}`, {
      cause: error,
    });
  }
}

function named(list: unknown, part: string): readonly Named<Fields>[] {
  return (Array.isArray(list) ? list : []).map((entry) => {
    const fields = fieldsOf(entry);
    return { name: fields.name, value: fieldsOf(fields[part]) };
  });
}

function find(list: readonly Named<Fields>[], name: string, what: string): Fields {
  const found = list.find((entry) => entry.name === name)?.value;
  if (found) return found;
  const known = list.map((entry) => String(entry.name)).join(', ') || 'none';
  throw new CredentialsError(
    `the kubeconfig has no ${what} ${name || '(empty)'}; it has: ${known}`,
  );
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
