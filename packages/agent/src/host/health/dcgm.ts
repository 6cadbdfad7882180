/** Health of NVIDIA GPUs by DCGM, where its host engine runs. */
import { runToolFully } from '../run-tool.ts';
import { type Check, type CheckFinding, type CheckStatus, combine } from './check.ts';

const STATUSES: Readonly<Record<string, CheckStatus>> = {
  Healthy: 'healthy',
  Warning: 'warning',
  Failure: 'failure',
};

/** A node of the report: each has a value, lines that continue it, or children. */
interface Node {
  readonly value?: string;
  readonly overflow?: readonly string[];
  readonly children?: Readonly<Record<string, Node>>;
}

/** Throws for text that is not a report of `dcgmi health --check --json`. */
export function dcgmHealth(text: string): CheckFinding {
  const body: Readonly<Record<string, Node>> | undefined = JSON.parse(text).body;
  const overall = STATUSES[body?.['Overall Health']?.value ?? ''];
  if (body === undefined || overall === undefined)
    throw new Error('dcgmi prints no overall health');
  if (overall === 'healthy') return { status: overall, message: null };
  const incidents = Object.entries(body).flatMap(([group, { children }]) =>
    Object.entries(children ?? {}).flatMap(([id, entity]) => incidentsOf(`${group} ${id}`, entity)),
  );
  const { message } = combine(incidents);
  return { status: overall, message: message ?? 'DCGM reports no reason' };
}

function incidentsOf(name: string, entity: Node): CheckFinding[] {
  return Object.entries(entity.children?.Errors?.children ?? {}).map(([system, node]) => {
    const text = [...(node.overflow ?? [])].join(' ');
    const status = STATUSES[node.value ?? ''] ?? 'warning';
    return { status, message: `${name}, ${system}: ${text || node.value}` };
  });
}

const ARGS = ['health', '--check', '--json'];
const NOT_WATCHED = /watches not enabled/i;

/** Switches on DCGM's own watches if they are off, since it reports nothing without them. */
export function dcgmCheck(periodMs: number): Check {
  let enabled = false;
  return {
    name: 'dcgm',
    periodMs,
    async run() {
      const output = await runToolFully('dcgmi', ARGS);
      if (output.kind === 'missing') return null;
      if (output.kind === 'timeout') throw new Error('dcgmi does not end');
      if (output.code === 0) return dcgmHealth(output.stdout);
      if (NOT_WATCHED.test(output.stdout) && !enabled) {
        enabled = true;
        await runToolFully('dcgmi', ['health', '--set', 'a']);
      }
      // Most often the host engine does not run.
      return null;
    },
  };
}
