import { EXPLAIN_KINDS, type ExplainKind } from '@dstack/contract/wire';
import * as z from 'zod';
import { firstOf } from '../bounds.ts';
import { tool } from '../tool.ts';

const KINDS = Object.values(EXPLAIN_KINDS);
const MOST_CONSIDERED = 30;
const MOST_EVENTS = 20;

export const explainTool = tool({
  name: 'explain',
  title: 'Explain a state',
  description:
    'Explains why a run, job, service, fleet, instance, volume or gateway is in its state: what it waits for, what was considered and refused, and fixes with commands. Call this first when something waits or has failed.',
  kind: 'read',
  input: z.object({
    kind: z.enum(KINDS as [string, ...string[]]).default('run'),
    name: z.string().min(1).max(200).describe('Its name; a job is like train-0-0'),
  }),
  output: z.looseObject({ summary: z.string(), state: z.string() }),
  run: async ({ kind, name }, { project, signal }) => {
    const path = (Object.keys(EXPLAIN_KINDS) as ExplainKind[]).find(
      (each) => EXPLAIN_KINDS[each] === kind,
    );
    const explanation = await project.explain(path ?? 'runs', name, { signal });
    const considered = firstOf(explanation.considered.map(compact), MOST_CONSIDERED);
    const events = explanation.events.slice(-MOST_EVENTS).map(({ recorded_at, message }) => ({
      ...{ recorded_at, message },
    }));
    return {
      data: {
        ...compact(explanation),
        considered: considered.shown,
        considered_left_out: considered.left_out,
        parts: explanation.parts.slice(0, MOST_CONSIDERED).map(compact),
        ahead: explanation.ahead.slice(0, MOST_CONSIDERED).map(compact),
        events,
        events_left_out: Math.max(0, explanation.events.length - MOST_EVENTS),
        summary: explanation.summary,
        state: explanation.state,
      },
    };
  },
});

function compact(value: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== null));
}
