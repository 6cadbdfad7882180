import type { RunPlan, RunSpec } from '@dstack/contract/wire';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { configurationSchemaQuery, planQuery } from '../../data/launch/launch-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { readSource, type SourceProblem } from './configuration-source.ts';
import { ConfigurationSchema } from './json-schema.ts';
import { schemaProblems } from './schema-problems.ts';
import { serverProblems } from './server-problems.ts';
import { useSettled } from './use-settled.ts';

export interface LaunchPlan {
  readonly schema: ConfigurationSchema;
  /** Problems of the text, each with its line. */
  readonly problems: readonly SourceProblem[];
  /** The last plan that the server made, also while the next is on its way; null: there is none yet. */
  readonly plan: RunPlan | null;
  /** The plan is that of the present text. */
  readonly isCurrent: boolean;
  /** The error of the request for the plan, if it belongs to no line; null: there is none. */
  readonly error: Error | null;
  /** The specification that would be submitted; null: the text is not valid. */
  readonly spec: RunSpec | null;
}

/** The user has stopped typing. */
const SETTLED_MS = 400;

/** Reads the text, and asks the server for the plan of that configuration. */
export function useLaunchPlan(project: string | null, text: string): LaunchPlan {
  const client = useClient();
  const { data: document } = useQuery(configurationSchemaQuery(client));
  const schema = useMemo(() => new ConfigurationSchema(document), [document]);
  const settled = useSettled(text, SETTLED_MS);
  const source = useMemo(() => readSource(settled), [settled]);
  const local = useMemo(() => {
    if (source.kind === 'invalid') return [source.problem];
    return document === undefined ? [] : schemaProblems(schema, source.value, source.lineOf);
  }, [source, schema, document]);
  // One object for each text, also if the schema arrives later: an error of a submission stays with its text.
  const whole = useMemo(() => (source.kind === 'valid' ? runSpec(source.value) : null), [source]);
  const spec = local.length === 0 ? whole : null;
  const query = useQuery({
    ...planQuery(client, project ?? '', spec ?? NO_SPEC),
    enabled: spec !== null && project !== null,
    placeholderData: keepPreviousData,
  });
  const refused = spec !== null && query.error !== null;
  const problems = useMemo(
    () => (refused && source.kind === 'valid' ? serverProblems(query.error, source.lineOf) : local),
    [refused, source, local, query.error],
  );
  return {
    schema,
    problems,
    plan: query.data ?? null,
    isCurrent: settled === text && spec !== null && query.isSuccess && !query.isPlaceholderData,
    error: refused && problems.length === 0 ? query.error : null,
    spec,
  };
}

/** The server validates it, and fills in what is missing. */
function runSpec(configuration: Readonly<Record<string, unknown>>): RunSpec {
  const name = typeof configuration.name === 'string' ? configuration.name : null;
  return { run_name: name, configuration, profile: { name: 'default' } } as unknown as RunSpec;
}

const NO_SPEC = runSpec({});
