import { type Command, Option } from 'commander';
import { collect, integerOption } from '../../options.ts';

/** Options of `dstack apply` for runs; null or empty = not given. */
export interface RunFlags {
  readonly name: string | null;
  readonly env: readonly string[];
  readonly ports: readonly string[];
  readonly host: string;
  readonly sshIdentity: string | null;
  readonly cpu: string | null;
  readonly gpu: string | null;
  readonly memory: string | null;
  readonly disk: string | null;
  readonly profile: ProfileFlags;
  readonly repo: RepoFlags;
  readonly maxOffers: number;
  readonly fullOffers: boolean;
  readonly unallocated: boolean;
}

export interface ProfileFlags {
  /** `--profile NAME`; false = `--no-profile`. */
  readonly profile: string | false | null;
  readonly maxPrice: string | null;
  readonly maxDuration: string | null;
  readonly backends: readonly string[];
  readonly regions: readonly string[];
  readonly instanceTypes: readonly string[];
  readonly fleets: readonly string[];
  readonly reuse: boolean;
  readonly dontDestroy: boolean;
  readonly idleDuration: string | null;
  readonly spotPolicy: 'spot' | 'on-demand' | 'auto' | null;
  readonly retry: boolean | null;
  readonly retryDuration: string | null;
}

export interface RepoFlags {
  /** `--repo`; false = `--no-repo`. */
  readonly repo: string | false | null;
  readonly branch: string | null;
  readonly hash: string | null;
  readonly token: string | null;
  readonly gitIdentity: string | null;
}

/** Number of offers that the plan of a run shows. */
export const PLAN_OFFERS = 3;

export function addResourceFlags(command: Command): Command {
  return command
    .optionsGroup('Resources (each replaces the value of the file):')
    .option('--cpu <spec>', '[ARCH:]COUNT, e.g. 4.. or arm:8')
    .option('--gpu <spec>', '[VENDOR:]NAME:COUNT:MEMORY in any order, e.g. H100:2 or 24GB')
    .option('--memory <range>', 'e.g. 16GB.. or 8GB..32GB')
    .option('--disk <range>', 'e.g. 100GB..');
}

export function addProfileFlags(command: Command): Command {
  return command
    .optionsGroup('Profile:')
    .option('--profile <name>', 'profile of .dstack/profiles.yml (DSTACK_PROFILE)')
    .option('--no-profile', 'use no profile, not even the default one (DSTACK_NO_PROFILE)')
    .option('--max-price <price>', 'maximum price per hour, in dollars')
    .option('--max-duration <duration>', 'stop the run after, e.g. 4h, or off')
    .option('-b, --backend <name>', 'backend to use (repeatable)', collect)
    .option('-r, --region <name>', 'region to use (repeatable)', collect)
    .option('--instance-type <name>', 'instance type to use (repeatable)', collect)
    .optionsGroup('Fleets:')
    .option('--fleet <name>', 'fleet to use (repeatable)', collect)
    .option('-R, --reuse', 'use existing instances only')
    .addOption(new Option('--dont-destroy', 'keep new instances').conflicts('reuse'))
    .addOption(
      new Option('--idle-duration <duration>', 'keep idle instances that long, or off').conflicts([
        'reuse',
        'dontDestroy',
      ]),
    )
    .optionsGroup('Spot:')
    .addOption(
      new Option('--spot', 'spot instances only').conflicts(['onDemand', 'spotAuto', 'spotPolicy']),
    )
    .addOption(
      new Option('--on-demand', 'on-demand instances only').conflicts(['spotAuto', 'spotPolicy']),
    )
    .addOption(new Option('--spot-auto', 'either').conflicts('spotPolicy'))
    .addOption(
      new Option('--spot-policy <policy>', 'the same, by name').choices([
        'spot',
        'on-demand',
        'auto',
      ]),
    )
    .optionsGroup('Retry:')
    .option('--retry', 'retry when there is no capacity, on errors and interruptions')
    .option('--no-retry', 'do not retry')
    .addOption(new Option('--retry-duration <duration>', 'retry that long').conflicts('retry'));
}

export function addRepoFlags(command: Command): Command {
  return command
    .optionsGroup('Repo:')
    .option('-P, --repo <path-or-url>', 'Git repository to clone into the run')
    .option('--repo-branch <branch>', 'branch, for a URL')
    .option('--repo-hash <hash>', 'commit, for a URL')
    .option('--no-repo', 'no repository')
    .option('-t, --token <token>', 'access token for a private repository')
    .option('--git-identity <file>', 'SSH key for a private repository');
}

export function addOfferFlags(command: Command, defaultOffers: number): Command {
  return command
    .optionsGroup('Offers:')
    .option('--max-offers <n>', 'offers to show', integerOption(1, 10_000), defaultOffers)
    .option('--full-offers', 'show whole machines, not what the run would get of them')
    .option('--unallocated', 'subtract what is in use');
}

/** Options as parsed: each may be missing. */
export type ParsedOptions = Readonly<Record<string, unknown>>;

export function profileFlags(o: ParsedOptions): ProfileFlags {
  const spot = o.spot ? 'spot' : o.onDemand ? 'on-demand' : o.spotAuto ? 'auto' : o.spotPolicy;
  return {
    // The parser sets a negatable option to true if it was not given.
    profile: o.profile === true ? null : (text(o.profile) ?? (o.profile === false ? false : null)),
    maxPrice: text(o.maxPrice),
    maxDuration: text(o.maxDuration),
    backends: list(o.backend),
    regions: list(o.region),
    instanceTypes: list(o.instanceType),
    fleets: list(o.fleet),
    reuse: o.reuse === true,
    dontDestroy: o.dontDestroy === true,
    idleDuration: text(o.idleDuration),
    spotPolicy: (spot as ProfileFlags['spotPolicy']) ?? null,
    retry: typeof o.retry === 'boolean' ? o.retry : null,
    retryDuration: text(o.retryDuration),
  };
}

export function repoFlags(o: ParsedOptions): RepoFlags {
  return {
    repo: o.repo === false ? false : text(o.repo),
    branch: text(o.repoBranch),
    hash: text(o.repoHash),
    token: text(o.token),
    gitIdentity: text(o.gitIdentity),
  };
}

export function runFlags(o: ParsedOptions): RunFlags {
  return {
    name: text(o.name),
    env: list(o.env),
    ports: list(o.port),
    host: text(o.host) ?? 'localhost',
    sshIdentity: text(o.sshIdentity),
    cpu: text(o.cpu),
    gpu: text(o.gpu),
    memory: text(o.memory),
    disk: text(o.disk),
    profile: profileFlags(o),
    repo: repoFlags(o),
    maxOffers: typeof o.maxOffers === 'number' ? o.maxOffers : PLAN_OFFERS,
    fullOffers: o.fullOffers === true,
    unallocated: o.unallocated === true,
  };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function list(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
