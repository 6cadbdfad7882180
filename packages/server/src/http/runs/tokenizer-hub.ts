/** Finds the chat templates of models whose configuration has none. */

import { errorMessage } from '@dstack/contract/error-message';
import * as z from 'zod';
import type { Outgoing } from '../../outgoing/outgoing.ts';

export interface ChatFormat {
  readonly chatTemplate: string | null;
  readonly eosToken: string | null;
}

/** Rejects with an `Error` for the user who submits the service. */
export type TokenizerHub = (model: string, token: string | null) => Promise<ChatFormat>;

/** The time limit of dstack 0.22.5, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** These files may contain vocabularies of special tokens, too. */
const MAX_BYTES = 16 * 1024 * 1024;

const Token = z.union([z.string(), z.object({ content: z.string() })]).nullish();

/** Models may have several templates; the one for chats is the default. */
const Template = z
  .union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))])
  .nullish();

const Config = z.object({ chat_template: Template, eos_token: Token });

/** `endpoint`: read from `HF_ENDPOINT`, as by Hugging Face's own tools. */
export function tokenizerHub(endpoint: string, outgoing: Outgoing): TokenizerHub {
  return async (model, token) => {
    const url = `${endpoint}/${model}/resolve/main/tokenizer_config.json`;
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const asked = { headers, signal, maxBytes: MAX_BYTES };
    const answer = await outgoing.get(url, asked).catch((error) => {
      throw failure(reasonOf(error));
    });
    if (answer.status === 403) throw new Error('Private HF models are not supported');
    if (answer.status === 401) {
      const what = token ? 'a valid HF_TOKEN' : 'HF_TOKEN';
      throw new Error(`Failed to get tokenizer info: set ${what} in \`env\` of the service`);
    }
    if (answer.status !== 200) throw failure(`status ${answer.status}`);
    const { chat_template: template, eos_token: eos } = configOf(answer.body);
    const chat = Array.isArray(template)
      ? (template.find(({ name }) => name === 'default') ?? template[0])?.template
      : template;
    const end = typeof eos === 'object' ? eos?.content : eos;
    return { chatTemplate: chat ?? null, eosToken: end ?? null };
  };
}

function configOf(body: Buffer): z.infer<typeof Config> {
  try {
    return Config.parse(JSON.parse(body.toString()));
  } catch (error) {
    throw failure(reasonOf(error));
  }
}

const failure = (why: string) => new Error(`Failed to get tokenizer info: ${why}`);

/** A failed request names its reason as cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : null;
  return errorMessage(cause instanceof Error ? cause : error);
}
