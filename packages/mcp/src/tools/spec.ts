/** From the text of a configuration to what the API takes. */
import { formatConfigurationErrors, parseConfiguration } from '@dstack/contract';
import type { FleetConfiguration, FleetSpec, Profile, RunSpec } from '@dstack/contract/wire';
import type { PackedUserFiles, UserFile } from '../local-files.ts';
import { type ToolContext, ToolRefusal } from '../tool.ts';

type RunConfiguration = RunSpec['configuration'];

export type Specified =
  | {
      readonly kind: 'run';
      readonly spec: RunSpec;
      readonly files: PackedUserFiles;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'fleet'; readonly spec: FleetSpec; readonly warnings: readonly string[] };

/**
 * More than 500 lines. A server has one thread, and reading takes about 10 ms per 1000 of them if the text
 * is meant to be slow.
 */
const MOST_TOKENS = 4000;

const NO_FILES: PackedUserFiles = { mappings: [], known: [], upload: async () => [] };

/** Throws a refusal with the place of each error in the text. */
export async function specOf(text: string, context: ToolContext): Promise<Specified> {
  const parsed = parseConfiguration(text, 'configuration', { maxTokens: MOST_TOKENS });
  if (!parsed.ok) {
    throw new ToolRefusal(formatConfigurationErrors(parsed.errors, 'configuration', text));
  }
  const value = parsed.value as { readonly type: string };
  const warnings =
    parsed.warnings.length === 0
      ? []
      : [formatConfigurationErrors(parsed.warnings, 'configuration', text)];
  if (value.type === 'fleet') {
    const configuration = value as FleetConfiguration;
    refuseKeyFiles(configuration);
    const spec = { configuration, configuration_path: null, profile: emptyProfile() };
    return { kind: 'fleet', spec: spec as FleetSpec, warnings };
  }
  if (value.type === 'volume' || value.type === 'gateway') {
    throw new ToolRefusal(
      `A ${value.type} is created on the command line: dstack apply -f FILE. This tool applies tasks, services, dev environments and fleets.`,
    );
  }
  const configuration = value as RunConfiguration;
  refuseLocalParts(configuration);
  const files = await filesOf(configuration, context);
  return { kind: 'run', spec: runSpec(configuration, files), files, warnings };
}

/** Packed, but not uploaded yet. */
async function filesOf(
  configuration: RunConfiguration,
  { client, packFiles }: ToolContext,
): Promise<PackedUserFiles> {
  const { files } = configuration as { readonly files?: readonly UserFile[] | null };
  if ((files ?? []).length === 0) return NO_FILES;
  if (packFiles !== null) return await packFiles(files ?? [], client);
  throw new ToolRefusal(
    `\`files\` are on the user's computer, and this server cannot read them. Use \`dstack mcp\` there (stdio), which uploads them, or download them in \`commands\`.`,
  );
}

function runSpec(configuration: RunConfiguration, files: PackedUserFiles): RunSpec {
  return {
    run_name: configuration.name ?? null,
    repo_id: 'none',
    repo_data: { repo_type: 'virtual' },
    repo_code_hash: null,
    repo_dir: null,
    file_archives: files.known,
    working_dir: null,
    configuration_path: null,
    configuration:
      files.mappings.length === 0 ? configuration : { ...configuration, files: files.mappings },
    profile: emptyProfile(),
    ssh_key_pub: null,
  } as unknown as RunSpec;
}

/** Refuses a repository with the user's changes, and variables of the user's shell. */
function refuseLocalParts(configuration: RunConfiguration): void {
  const { repos, env } = configuration as {
    readonly repos?: readonly unknown[] | null;
    readonly env?: Readonly<Record<string, unknown>> | null;
  };
  const instead = 'Clone or download it in `commands`, or use `dstack apply` on the command line.';
  if ((repos ?? []).length > 0) {
    throw new ToolRefusal(`\`repos\` cannot be uploaded from here. ${instead}`);
  }
  const open = Object.entries(env ?? {}).filter(([, value]) => typeof value !== 'string');
  if (open.length > 0) {
    const names = open.map(([name]) => name).join(', ');
    throw new ToolRefusal(
      `\`env\` takes ${names} from an environment that does not exist here. Write KEY=value, or refer to a secret: ${open[0]?.[0]}=\${{ secrets.NAME }}.`,
    );
  }
}

/** Keys of hosts are files on the user's computer. */
function refuseKeyFiles({ ssh_config }: FleetConfiguration): void {
  if (!ssh_config) return;
  throw new ToolRefusal(
    'A fleet with `ssh_config` needs key files of the user: dstack apply -f FILE on the command line.',
  );
}

function emptyProfile(): Profile {
  const parsed = parseConfiguration('profiles: [{name: default}]', 'profiles');
  const profile = parsed.ok ? (parsed.value.profiles as Profile[])[0] : undefined;
  if (profile === undefined) throw new Error('an empty profile could not be created');
  return profile;
}
