import { interpolate } from '@dstack/contract';
import { ruleError } from '@dstack/contract/api';
import { errorMessage } from '@dstack/contract/error-message';
import type { ServiceConfiguration } from '@dstack/contract/wire';
import type { ProjectRecord } from '@dstack/store';
import type { HttpDeps } from '../ports.ts';

type Model = NonNullable<ServiceConfiguration['model']>;

/** Names under which Hugging Face's tools look for a token. */
const TOKENS = ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'] as const;

/**
 * For a model whose chats must be rendered to one text, looks up the missing settings in the
 * model's repository. Throws `ApiError`.
 */
export async function completeModel(
  deps: Pick<HttpDeps, 'hub' | 'store'>,
  project: ProjectRecord,
  service: ServiceConfiguration,
): Promise<Model | null> {
  const { model } = service;
  if (model?.format !== 'tgi') return model;
  if (model.chat_template != null && model.eos_token != null) return model;
  const token = await hubToken(deps, project, service);
  const found = await deps.hub(model.name, token).catch((error: unknown) => {
    throw ruleError(errorMessage(error));
  });
  const chat_template = model.chat_template ?? found.chatTemplate;
  const eos_token = model.eos_token ?? found.eosToken;
  if (chat_template === null || eos_token === null) {
    const missing = chat_template === null ? 'chat_template' : 'eos_token';
    throw ruleError(`The tokenizer of ${model.name} has no ${missing}: set \`model.${missing}\``);
  }
  return { ...model, chat_template, eos_token };
}

async function hubToken(
  { store }: Pick<HttpDeps, 'store'>,
  project: ProjectRecord,
  { env }: ServiceConfiguration,
): Promise<string | null> {
  const value = TOKENS.map((name) => env[name]).find((one) => typeof one === 'string' && one);
  if (typeof value !== 'string' || !value.includes('${{')) return (value as string) ?? null;
  const filled = interpolate(value, { secrets: await store.secrets.values(project.id) });
  if (filled.ok) return filled.text;
  throw ruleError(`Secrets interpolation error: ${filled.error}`);
}
