import * as z from 'zod';
import { firstOf } from '../bounds.ts';
import { tool } from '../tool.ts';
import { confirm } from './inputs.ts';

const MOST_SECRETS = 100;

export const listSecretsTool = tool({
  name: 'list_secrets',
  title: 'List secrets',
  description:
    'Lists the names of the secrets of the project, for ${{ secrets.NAME }} in `env`. Values are never shown.',
  kind: 'read',
  input: z.object({}),
  output: z.object({ secrets: z.array(z.string()), left_out: z.number() }),
  run: async (_input, { project }) => {
    const names = (await project.secrets.list()).map(({ name }) => name);
    const { shown, left_out } = firstOf(names, MOST_SECRETS);
    return { data: { secrets: shown, left_out } };
  },
});

export const setSecretTool = tool({
  name: 'set_secret',
  title: 'Set a secret',
  description:
    'Creates or replaces a secret. The value passes through this conversation: if the user has it elsewhere, propose `dstack secret set NAME < file` in their terminal instead. Without confirm: true nothing is set.',
  kind: 'act',
  input: z.object({
    name: z.string().min(1).max(200),
    value: z.string().min(1).max(10_000),
    confirm,
  }),
  output: z.object({
    set: z.boolean(),
    name: z.string(),
    notes: z.array(z.string()),
    next: z.string(),
  }),
  run: async ({ name, value, confirm: isConfirmed }, { project }) => {
    if (!isConfirmed) {
      const exists = (await project.secrets.list()).some((secret) => secret.name === name);
      const what = exists ? 'would be replaced' : 'would be created';
      const next = `Nothing was set: the secret ${name} ${what}. After the user has agreed, call again with confirm: true.`;
      return { data: { set: false, name, notes: [], next } };
    }
    const { notes = [] } = await project.secrets.set(name, value);
    const next = `Runs use it as \${{ secrets.${name} }} in \`env\`.`;
    return { data: { set: true, name, notes, next } };
  },
});
