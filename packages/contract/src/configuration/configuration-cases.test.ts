import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { AnyConfiguration, CliConfig, ProfilesConfig, ServerConfig } from './index.ts';
import { type DocumentKind, parseConfiguration } from './parse-configuration.ts';

interface Case {
  readonly name: string;
  readonly kind: DocumentKind;
  readonly yaml: string;
  readonly ok: boolean;
  readonly json?: unknown;
  readonly error_field?: string;
  readonly error_type?: string;
}

/** Generated with the models of dstack 0.22.5 itself. */
const cases: Case[] = JSON.parse(
  readFileSync(new URL('../../testdata/configuration-cases.json', import.meta.url), 'utf8'),
);

const schemas = {
  configuration: AnyConfiguration,
  profiles: ProfilesConfig,
  'server-config': ServerConfig,
  'cli-config': CliConfig,
} as const;

/** The common part of the places of several errors, as the cases contain it. */
function commonPath(paths: readonly string[]): string {
  const split = paths.map((path) => (path === '' ? [] : path.split('.')));
  const [first = []] = split;
  const shared = first.findIndex((key, index) => split.some((path) => path[index] !== key));
  return (shared === -1 ? first : first.slice(0, shared)).join('.');
}

test('there are 529 conformance cases', () => {
  expect(cases).toHaveLength(529);
});

describe('valid documents get the canonical form of dstack 0.22.5', () => {
  test.each(cases.filter((item) => item.ok))('$name', ({ kind, yaml, json }) => {
    const parsed = parseConfiguration(yaml, kind);
    expect(parsed).toMatchObject({ ok: true });
    if (parsed.ok) expect(JSON.parse(JSON.stringify(parsed.value))).toEqual(json);
  });
});

describe('a canonical document is its own canonical form', () => {
  test.each(cases.filter((item) => item.ok))('$name', ({ kind, json }) => {
    const parsed = schemas[kind].parse(json);
    expect(JSON.parse(JSON.stringify(parsed))).toEqual(json);
  });
});

describe('invalid documents are refused at the place that dstack 0.22.5 names', () => {
  test.each(cases.filter((item) => !item.ok))('$name', ({ kind, yaml, error_field }) => {
    const parsed = parseConfiguration(yaml, kind);
    expect(parsed.ok).toBe(false);
    if (parsed.ok) return;
    expect(commonPath(parsed.errors.map((error) => error.path))).toBe(error_field);
    for (const error of parsed.errors) {
      expect(error.line).toBeGreaterThan(0);
      expect(error.column).toBeGreaterThan(0);
      expect(error.message.length).toBeGreaterThan(9);
    }
  });
});
