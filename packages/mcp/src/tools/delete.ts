import { isRunFinished } from '@dstack/contract/status';
import * as z from 'zod';
import { type ToolContext, ToolRefusal, tool } from '../tool.ts';
import { confirm } from './inputs.ts';

const KINDS = ['run', 'fleet', 'volume', 'secret'] as const;
type Kind = (typeof KINDS)[number];

export const deleteTool = tool({
  name: 'delete',
  title: 'Delete something',
  description:
    'Deletes an ended run with its logs, a fleet with its instances, a volume with its data, or a secret. It cannot be undone. Without confirm: true nothing is deleted.',
  kind: 'act',
  input: z.object({ kind: z.enum(KINDS), name: z.string().min(1).max(200), confirm }),
  output: z.object({ deleted: z.boolean(), kind: z.string(), name: z.string(), next: z.string() }),
  run: async ({ kind, name, confirm: isConfirmed }, context) => {
    const state = await stateOf(kind, name, context);
    if (!isConfirmed) {
      const next = `Nothing was deleted. The ${kind} ${name} exists${state && ` (${state})`}. After the user has agreed, call again with confirm: true.`;
      return { data: { deleted: false, kind, name, next } };
    }
    await remove(kind, name, context);
    const next =
      kind === 'fleet' || kind === 'volume'
        ? `The ${kind} is removed in the background: list_${kind}s shows when that is done.`
        : 'Done.';
    return { data: { deleted: true, kind, name, next } };
  },
});

/** Throws if it does not exist or may not be deleted now, so that the user is not asked in vain. */
async function stateOf(kind: Kind, name: string, { project }: ToolContext): Promise<string> {
  switch (kind) {
    case 'run': {
      const { status } = await project.runs.get({ run_name: name });
      if (!isRunFinished(status)) {
        throw new ToolRefusal(`Run ${name} is ${status}: stop it first with stop_run.`);
      }
      return status;
    }
    case 'fleet': {
      const { status, instances } = await project.fleets.get({ name });
      return `${status}, ${instances.length} instances`;
    }
    case 'volume':
      return (await project.volumes.get(name)).status;
    case 'secret': {
      const secrets = await project.secrets.list();
      if (!secrets.some((secret) => secret.name === name)) {
        throw new ToolRefusal(`There is no secret ${name}. list_secrets shows their names.`);
      }
      return '';
    }
  }
}

async function remove(kind: Kind, name: string, { project }: ToolContext): Promise<void> {
  switch (kind) {
    case 'run':
      return await project.runs.delete([name]);
    case 'fleet':
      return await project.fleets.delete([name]);
    case 'volume':
      return await project.volumes.delete([name]);
    case 'secret':
      return await project.secrets.delete([name]);
  }
}
