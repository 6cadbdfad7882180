import { Problem, quote } from '../grammar/problem.ts';
import type { BackendFileConfig, SlurmPrivateKeyFileConfig } from './backend-files.ts';
import type { BackendProblem } from './backend-rules.ts';

/** Reads a text file; the implementation expands a leading `~`. Undefined if it can't be read. */
export type ReadTextFile = (path: string) => string | undefined;

/**
 * Reads the files that a backend entry refers to and stores their contents in the entry, as the API
 * requires. Returns the completed entry and the problems.
 */
export function fillBackendSecrets<B extends BackendFileConfig>(
  backend: B,
  readFile: ReadTextFile,
): { readonly backend: B; readonly problems: readonly BackendProblem[] } {
  const problems: BackendProblem[] = [];
  const refuse = (path: readonly PropertyKey[], problem: Problem) =>
    problems.push({ path, problem });
  const filled = fill(backend, readFile, refuse) as B;
  return { backend: filled, problems };
}

type Refuse = (path: readonly PropertyKey[], problem: Problem) => void;

function fill(
  backend: BackendFileConfig,
  readFile: ReadTextFile,
  refuse: Refuse,
): BackendFileConfig {
  switch (backend.type) {
    case 'gcp': {
      const { creds } = backend;
      if (creds.type !== 'service_account') return backend;
      const data = contents(
        creds.data,
        creds.filename,
        readFile,
        refuse,
        ['creds'],
        ['filename', 'data'],
      );
      return { ...backend, creds: { ...creds, data } };
    }
    case 'kubernetes': {
      const { filename, data } = backend.kubeconfig;
      const text = contents(data, filename, readFile, refuse, ['kubeconfig'], ['filename', 'data']);
      return { ...backend, kubeconfig: { filename, data: text } };
    }
    case 'nebius':
      return { ...backend, creds: fillNebius(backend.creds, readFile, refuse) };
    case 'slurm':
      return {
        ...backend,
        clusters: backend.clusters.map((cluster, index) => {
          const keyOf = ({ path, content }: SlurmPrivateKeyFileConfig, place: PropertyKey[]) => {
            const at = ['clusters', index, ...place];
            const text = contents(content, path, readFile, refuse, at, ['path', 'content']);
            return { path, content: text };
          };
          const private_key = keyOf(cluster.private_key, ['private_key']);
          const { proxy_jump: jump } = cluster;
          if (!jump) return { ...cluster, private_key };
          const { identity_file, ...others } = jump;
          const key =
            jump.private_key ?? (identity_file ? { path: identity_file, content: null } : null);
          const jumpKey = key && keyOf(key, ['proxy_jump', 'private_key']);
          return { ...cluster, private_key, proxy_jump: { ...others, private_key: jumpKey } };
        }),
      };
    default:
      return backend;
  }
}

/** The text itself, or that of the file; null and a problem if there is neither. */
function contents(
  text: string | null,
  filename: string | null,
  readFile: ReadTextFile,
  refuse: Refuse,
  place: readonly PropertyKey[],
  keys: readonly [file: string, text: string],
): string | null {
  if (text !== null) return text;
  if (!filename) {
    refuse(place, new Problem(`needs ${keys[0]} or ${keys[1]}`));
    return null;
  }
  const read = readFile(filename);
  if (read !== undefined) return read;
  const message = `refers to the file ${quote(filename)} in ${keys[0]}, which can't be read: check the path and its permissions`;
  refuse(place, new Problem(message, { at: [keys[0]] }));
  return null;
}

type NebiusCreds = Extract<BackendFileConfig, { type: 'nebius' }>['creds'];

/**
 * `filename` is Nebius' own credentials file with all values; without it, the key may be in a file.
 */
function fillNebius(creds: NebiusCreds, readFile: ReadTextFile, refuse: Refuse): NebiusCreds {
  if (creds.filename !== null) return fillNebiusFile(creds, creds.filename, readFile, refuse);
  const missing = (['service_account_id', 'public_key_id'] as const).filter(
    (key) => creds[key] === null,
  );
  if (missing.length > 0) {
    refuse(['creds'], new Problem(`needs ${missing.join(' and ')}, or filename`));
    return creds;
  }
  const keys = ['private_key_file', 'private_key_content'] as const;
  const key = contents(
    creds.private_key_content,
    creds.private_key_file,
    readFile,
    refuse,
    ['creds'],
    keys,
  );
  return { ...creds, private_key_content: key };
}

function fillNebiusFile(
  creds: NebiusCreds,
  filename: string,
  readFile: ReadTextFile,
  refuse: Refuse,
): NebiusCreds {
  const text = contents(
    null,
    filename,
    readFile,
    refuse,
    ['creds'],
    ['filename', 'private_key_content'],
  );
  if (text === null) return creds;
  const subject = nebiusSubject(text);
  if (subject !== undefined) return { ...creds, ...subject };
  const message = `refers to the file ${quote(filename)} in filename, which is not a credentials file of Nebius (JSON with subject-credentials)`;
  refuse(['creds'], new Problem(message, { at: ['filename'] }));
  return creds;
}

function nebiusSubject(text: string): Partial<NebiusCreds> | undefined {
  try {
    const subject = JSON.parse(text)['subject-credentials'];
    const found = {
      service_account_id: subject.sub,
      public_key_id: subject.kid,
      private_key_content: subject['private-key'],
    };
    return Object.values(found).every((value) => typeof value === 'string') ? found : undefined;
  } catch {
    // Not JSON, or JSON of another form: the caller reports it.
    return undefined;
  }
}
