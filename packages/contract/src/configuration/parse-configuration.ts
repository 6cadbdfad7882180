import type * as z from 'zod';
import { type LoadedYaml, loadYaml } from '../yaml/load.ts';
import { AnyConfiguration } from './any-configuration.ts';
import type { ReadTextFile } from './backend-secrets.ts';
import { CliConfig } from './cli-config.ts';
import type { ConfigurationError, ConfigurationWarning } from './finding.ts';
import { type DescribedIssue, describeIssues, valueAt } from './issue.ts';
import { ProfilesConfig } from './profile.ts';
import { isMap } from './schema-kit.ts';
import { type ServerConfig, serverConfigWithFiles } from './server-config.ts';
import { type ConfigurationNote, configurationWarnings } from './warnings.ts';
import { timeErrors, yamlWarnings } from './yaml-warnings.ts';

/** Kinds of documents. `configuration` = anything that can be applied. */
export interface Documents {
  readonly configuration: AnyConfiguration;
  readonly profiles: ProfilesConfig;
  readonly 'server-config': ServerConfig;
  readonly 'cli-config': CliConfig;
}
export type DocumentKind = keyof Documents;

export type ParsedConfiguration<Value> =
  | { readonly ok: true; readonly value: Value; readonly warnings: readonly ConfigurationWarning[] }
  | { readonly ok: false; readonly errors: readonly ConfigurationError[] };

export interface ParseOptions {
  /**
   * Reads the files that a server configuration refers to; without this option they count as
   * unreadable.
   */
  readonly readFile?: ReadTextFile;
  /** Whether a server configuration may name the simulated backend of tests and benchmarks. */
  readonly sim?: boolean;
  /** The most words and signs of the text, for texts of others: the cost of reading grows with them. */
  readonly maxTokens?: number;
}

/**
 * Reads a document into its canonical form, which is that of the API. All problems are reported at
 * once, in the order of the text.
 */
export function parseConfiguration<Kind extends DocumentKind>(
  text: string,
  kind: Kind,
  options: ParseOptions = {},
): ParsedConfiguration<Documents[Kind]> {
  const { maxTokens } = options;
  const loaded = loadYaml(text, maxTokens === undefined ? {} : { maxTokens });
  if (!('value' in loaded)) {
    const { path, line, column, message } = loaded;
    return { ok: false, errors: [{ path: path.join('.'), line, column, message, type: 'yaml' }] };
  }
  const empty = loaded.value === null && kind !== 'configuration' ? {} : loaded.value;
  const result = schemaFor(kind, options).safeParse(empty);
  if (!result.success) {
    const found = describeIssues(result.error, empty);
    return { ok: false, errors: toErrors(found, { ...loaded, value: empty }, kind) };
  }
  const misread = timeErrors(loaded);
  if (misread.length > 0) return { ok: false, errors: misread };
  const value = result.data as Documents[Kind];
  const warnings = [
    ...yamlWarnings(loaded, value),
    ...placed(configurationWarnings(value), loaded),
  ];
  return { ok: true, value, warnings: inTextOrder(warnings) };
}

function schemaFor(kind: DocumentKind, options: ParseOptions): z.ZodType {
  switch (kind) {
    case 'configuration':
      return AnyConfiguration;
    case 'profiles':
      return ProfilesConfig;
    case 'server-config':
      return serverConfigWithFiles(options.readFile ?? (() => undefined), {
        sim: options.sim ?? false,
      });
    case 'cli-config':
      return CliConfig;
  }
}

function toErrors(
  issues: readonly DescribedIssue[],
  loaded: LoadedYaml,
  kind: DocumentKind,
): ConfigurationError[] {
  const errors = issues.map((issue): ConfigurationError => {
    const keys = issue.path.filter((element) => typeof element !== 'symbol');
    const path = pathInDocument(keys, loaded.value, issue.type);
    const { type, suggestion } = issue;
    const isWhole = keys.length === 0 && type === 'model_attributes_type';
    return {
      path: path.join('.'),
      ...loaded.locate(placeOf(issue, path, loaded.value)),
      message: isWhole
        ? wholeDocument(kind, loaded.value)
        : issue.message + otherTypeHint(issue, keys, loaded.value),
      type,
      ...(suggestion === undefined ? {} : { suggestion }),
    };
  });
  return inTextOrder(withoutRepeats(errors));
}

/** Keys of one type that users write in another, and the key to use instead. */
const OTHER_TYPE_HINTS: Readonly<Record<string, string>> = {
  'dev-environment.commands': ': a dev environment runs init',
  'dev-environment.nodes': ': only tasks have nodes',
  'dev-environment.port': ': a dev environment has a list of ports',
  'service.ports': ': a service has one port',
  'service.nodes': ': a service has replicas',
  'task.replicas': ': a task has nodes',
  'task.port': ': a task has a list of ports',
  'task.init': ': a task has commands',
  'service.init': ': a service has commands',
  'fleet.hosts': ': hosts are listed in ssh_config',
  'fleet.max_duration': ': it belongs to runs and profiles',
};

function otherTypeHint(issue: DescribedIssue, path: readonly PropertyKey[], root: unknown): string {
  if (issue.type !== 'extra_forbidden' || path.length !== 1 || !isMap(root)) return '';
  return OTHER_TYPE_HINTS[`${String(root.type)}.${String(path[0])}`] ?? '';
}

/** The place to report: a rule over several keys points at the first of them that is written. */
function placeOf(
  issue: DescribedIssue,
  path: readonly PropertyKey[],
  root: unknown,
): readonly PropertyKey[] {
  if (issue.keys === undefined || issue.depth !== 0) return [...path, ...(issue.at ?? [])];
  const written = issue.keys.find((key) => valueAt(root, [...path, key]) !== undefined);
  return written === undefined ? path : [...path, written];
}

function wholeDocument(kind: DocumentKind, value: unknown): string {
  const begin = {
    configuration: "'type: task'",
    profiles: "'profiles:'",
    'server-config': "'projects:'",
    'cli-config': "'projects:'",
  }[kind];
  const what = value === null ? 'is empty' : Array.isArray(value) ? 'is a list' : 'is one text';
  return `${what}: it must be a map that begins with ${begin}`;
}

/**
 * The part of a path that exists in the document: the bounds of a range written as `2..1` have no
 * place of their own. A missing key is reported at its map.
 */
function pathInDocument(
  path: readonly PropertyKey[],
  root: unknown,
  type: string,
): readonly PropertyKey[] {
  let value = root;
  for (const [index, key] of path.entries()) {
    const isContainer = isMap(value) || Array.isArray(value);
    if (isContainer && Object.hasOwn(value as object, key)) {
      value = (value as Record<PropertyKey, unknown>)[key];
      continue;
    }
    const isMissing = isMap(value) && type === 'missing' && index === path.length - 1;
    return isMissing ? path : path.slice(0, index);
  }
  return path;
}

/** Both bounds of a range may fail for the same reason. */
function withoutRepeats(errors: readonly ConfigurationError[]): ConfigurationError[] {
  const seen = new Set<string>();
  return errors.filter((error) => {
    const key = `${error.path}\n${error.message}`;
    return seen.has(key) ? false : seen.add(key);
  });
}

function inTextOrder<T extends ConfigurationWarning>(findings: readonly T[]): T[] {
  return [...findings].sort((a, b) => a.line - b.line || a.column - b.column);
}

function placed(notes: readonly ConfigurationNote[], loaded: LoadedYaml): ConfigurationWarning[] {
  return notes.map(({ path, ...note }) => ({
    path: path.join('.'),
    ...loaded.locate(path),
    ...note,
  }));
}
