import * as z from 'zod';
import { parseFileMapping, windowsTarget } from '../grammar/file-mapping.ts';
import { parseBranch, parseCommitHash, parseGitUrl } from '../grammar/git.ts';
import { MAX_PATH, parsePlainText } from '../grammar/line-text.ts';
import { hasDrive } from '../grammar/paths.ts';
import { Problem, quote } from '../grammar/problem.ts';
import { parseRepo } from '../grammar/repo.ts';
import { reportIssue } from './issue.ts';
import { optional, path, stringBy } from './scalars.ts';
import { choice, closed, named, shorthand } from './schema-kit.ts';

const FileTarget = stringBy((text) =>
  hasDrive(text) ? windowsTarget(text) : parsePlainText(text, MAX_PATH),
);

const FileModel = named('FilePathMapping', closed({ local_path: path(), path: FileTarget }));

/** `path`, `local:container` or `{local_path, path}`. */
export const FilePathMapping = shorthand(
  FileModel,
  (value) => (typeof value === 'string' ? parseFileMapping(value) : value),
  (ref) => ({ anyOf: [ref(FileModel), { type: 'string' }] }),
);
export type FilePathMapping = z.infer<typeof FilePathMapping>;

export const RepoExistsAction = choice(['error', 'skip'], 'enum', 'RepoExistsAction');
export type RepoExistsAction = z.infer<typeof RepoExistsAction>;

const RepoTarget = stringBy((text) => {
  if (!/^~[^/]/.test(text)) return parsePlainText(text, MAX_PATH);
  return new Problem(
    `must not name another user's home, got ${quote(text)}: '~' and '~/x' are allowed`,
  );
});

const RepoModel = named(
  'RepoSpec',
  closed({
    local_path: optional(path()),
    url: optional(stringBy(parseGitUrl)),
    branch: optional(stringBy(parseBranch)),
    hash: optional(stringBy(parseCommitHash)),
    path: RepoTarget.default('.'),
    if_exists: RepoExistsAction.default('error'),
  }),
);

const CheckedRepo = RepoModel.superRefine((repo, ctx) => {
  if ((repo.local_path === null) === (repo.url === null)) {
    const what = repo.url === null ? 'needs' : 'has both local_path and url: it needs';
    reportIssue(ctx, repo, new Problem(`${what} exactly one of local_path and url`));
  }
});

/** `local[:path]`, `url[:path]` or the model's own map. */
export const RepoSpec = shorthand(
  CheckedRepo,
  (value) => (typeof value === 'string' ? parseRepo(value) : value),
  (ref) => ({ anyOf: [ref(RepoModel), { type: 'string' }] }),
);
export type RepoSpec = z.infer<typeof RepoSpec>;

/** At most one repository. */
export const Repos = z.array(RepoSpec).superRefine((repos, ctx) => {
  if (repos.length > 1)
    reportIssue(ctx, repos, new Problem(`must have one entry at most, has ${repos.length}`));
});
