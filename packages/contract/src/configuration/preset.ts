import * as z from 'zod';
import { Problem } from '../grammar/problem.ts';
import { Env } from './env.ts';
import { reportIssue } from './issue.ts';
import { describeJson } from './json-form.ts';
import { profileShape } from './profile.ts';
import { EntityReference } from './references.ts';
import { type Break, withRules } from './rules.ts';
import { bool, int, optional, readBool, readString, string } from './scalars.ts';
import {
  choice,
  closed,
  isMap,
  named,
  oneOf,
  type Reader,
  reader,
  shorthand,
} from './schema-kit.ts';

/** A base model whose fine-tunes and quantisations are searched. */
export const PresetModelBase = named('PresetModelBase', closed({ base: string() }));
export type PresetModelBase = z.infer<typeof PresetModelBase>;

/** One model by its repository; `name` = the name it is served under. */
export const PresetModelRepo = named(
  'PresetModelRepo',
  closed({ repo: string(), name: optional(string()) }),
);
export type PresetModelRepo = z.infer<typeof PresetModelRepo>;

export type PresetModel = PresetModelBase | PresetModelRepo;

const RepoText: Reader<PresetModelRepo> = reader(
  (value) => {
    const repo = readString(value);
    return repo instanceof Problem ? repo : { repo, name: null };
  },
  { type: 'string' },
);

const PresetModel: Reader<PresetModel> = oneOf<PresetModel>(
  (value) => {
    if (!isMap(value)) return RepoText;
    return 'base' in value ? PresetModelBase : PresetModelRepo;
  },
  (ref) => ({ anyOf: [ref(PresetModelRepo), ref(PresetModelBase), { type: 'string' }] }),
  (ref) => ({ anyOf: [ref(PresetModelRepo), ref(PresetModelBase)] }),
);

/** Path of a prompt, relative to the configuration file. */
export const PresetPromptFile = named('PresetPromptFile', closed({ path: string() }));
export type PresetPromptFile = z.infer<typeof PresetPromptFile>;

const MAX_PROMPT = 10_000;

const PromptText: Reader<string> = reader(
  (value) => {
    const text = readString(value);
    if (text instanceof Problem) return text;
    if (text.trim() === '')
      return new Problem('must not be blank: remove it, or describe what matters');
    return text.length > MAX_PROMPT
      ? new Problem(`must have ${MAX_PROMPT} characters at most, has ${text.length}`)
      : text;
  },
  { type: 'string' },
);

const Prompt: Reader<string | PresetPromptFile> = oneOf<string | PresetPromptFile>(
  (value) => (isMap(value) ? PresetPromptFile : PromptText),
  (ref) => ({ anyOf: [{ type: 'string' }, ref(PresetPromptFile)] }),
);

export const PRESET_AGENTS = ['claude', 'codex'] as const;
export const PRESET_EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const;

const AgentModel = named(
  'PresetAgentConfig',
  closed({
    provider: choice(PRESET_AGENTS, 'literal_error'),
    model: optional(string()),
    effort: optional(choice(PRESET_EFFORTS, 'literal_error')),
  }),
);

/** The agent that searches. */
export const PresetAgentConfig = describeJson(
  AgentModel.superRefine((agent, ctx) => {
    if (agent.provider === 'codex' && agent.effort === 'max') {
      reportIssue(
        ctx,
        agent,
        new Problem('has effort max, which codex does not support: use xhigh'),
      );
    }
  }),
  (ref) => ref(AgentModel),
);
export type PresetAgentConfig = z.infer<typeof PresetAgentConfig>;

const GatewayFlag = bool();
const GatewayName = string();

const PresetGateway: Reader<boolean | string | EntityReference> = oneOf<
  boolean | string | EntityReference
>(
  (value) => {
    if (!(readBool(value) instanceof Problem)) return GatewayFlag;
    return isMap(value) ? EntityReference : GatewayName;
  },
  (ref) => ({ anyOf: [{ type: 'boolean' }, ref(EntityReference), { type: 'string' }] }),
);

const Dataset: Reader<string> = reader(
  (value) => {
    const text = readString(value);
    if (text instanceof Problem) return text;
    const dataset = text.trim();
    if (dataset === '') return new Problem('must not be blank: remove it for synthetic prompts');
    return dataset === 'random'
      ? new Problem("must not be 'random': leave dataset out for synthetic prompts")
      : dataset;
  },
  { type: 'string' },
);

/** Default tokens of a synthetic request. */
export const DEFAULT_INPUT_TOKENS = 1024;
export const DEFAULT_OUTPUT_TOKENS = 1024;

const positive = () => optional(int({ gt: 0 }));

const PresetModelShape = named(
  'PresetConfiguration',
  withRules(
    closed({
      ...profileShape,
      type: choice(['preset'], 'literal_error').default('preset'),
      name: optional(string()),
      model: optional(PresetModel),
      base: optional(string()),
      repo: optional(string()),
      prompt: optional(Prompt),
      min_context_length: positive(),
      max_ttft: positive(),
      trials: positive(),
      previous: optional(z.array(string())),
      concurrency: positive(),
      input_tokens: positive(),
      output_tokens: optional(int({ ge: 2 })),
      shared_prefix_tokens: optional(int({ ge: 0 })),
      dataset: optional(Dataset),
      baseline: optional(bool()),
      gateway: optional(PresetGateway),
      agent: optional(PresetAgentConfig),
      env: Env.default({}),
    }),
    checkPreset,
  ),
);
type PresetShape = z.infer<typeof PresetModelShape>;

export type PresetConfiguration = Omit<PresetShape, 'model'> & { model: PresetModel };

interface PresetInput {
  readonly model: PresetModel | null;
  readonly base: string | null;
  readonly repo: string | null;
  readonly dataset: string | null;
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly shared_prefix_tokens: number | null;
}

function checkPreset(preset: PresetInput, broken: Break): void {
  const sources = (['model', 'base', 'repo'] as const).filter((key) => preset[key] != null);
  if (sources.length > 1) {
    broken(sources, `has ${sources.join(' and ')}: keep one of model, base and repo`);
  }
  const tokens = (['input_tokens', 'output_tokens', 'shared_prefix_tokens'] as const).filter(
    (key) => preset[key] != null,
  );
  if (preset.dataset != null && tokens.length > 0) {
    broken(['dataset', ...tokens], `can't have ${tokens.join(', ')} with a dataset: remove one`);
  }
  const input = preset.input_tokens ?? DEFAULT_INPUT_TOKENS;
  if (preset.shared_prefix_tokens != null && preset.shared_prefix_tokens >= input) {
    broken(
      ['shared_prefix_tokens', 'input_tokens'],
      `needs shared_prefix_tokens (${preset.shared_prefix_tokens}) below input_tokens (${input})`,
    );
  }
}

/** Search for a way to serve a model; never sent to the server. `base` and `repo` end up in `model`. */
export const PresetConfiguration: Reader<PresetConfiguration> = shorthand(
  PresetModelShape.transform((preset, ctx): PresetConfiguration => {
    const { base, repo } = preset;
    const model =
      preset.model ?? (base !== null ? { base } : repo !== null ? { repo, name: null } : null);
    if (model === null) {
      const message = 'is required: give model, base or repo';
      reportIssue(ctx, preset, new Problem(message, { type: 'missing' }), ['model']);
      return z.NEVER;
    }
    return { ...preset, model, base: null, repo: null };
  }),
  (value) => value,
  (ref) => ref(PresetModelShape),
);
