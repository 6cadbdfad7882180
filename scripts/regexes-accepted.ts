/**
 * Regular expressions that are not linear, by file and pattern, and why no hostile text reaches
 * them.
 */
export const accepted: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'packages/cli/src/commands/login/login.ts': { '\\/+$': 'a URL typed by the user' },
  'packages/cli/src/format/values.ts': { '\\.?0+$': 'digits of a number, a dozen at most' },
  'packages/cli/src/repos/credentials.ts': {
    "^(fatal|error|remote): |unable to access '.*?': ": 'what the user’s own git prints',
  },
  'packages/cli/src/repos/repo-id.ts': { '\\/+$': 'the URL of the user’s own repository' },
  'packages/cli/src/ssh/host-config.ts': {
    '^\\s*Include[\\s=]+"?(.+?)"?\\s*$': 'lines of the user’s own SSH configuration',
    '^\\s*(Host|Match)\\s+(.*?)\\s*$': 'lines of the user’s own SSH configuration',
  },
  'packages/cli/src/ssh/shared-master.ts': {
    '-L (\\[[^\\]]+\\]|[^\\s:]+):(\\d+):localhost:(\\d+)': 'arguments of processes of this user',
    '^\\s*(\\d+)\\s+(.*)$': 'what `ps` prints of processes of this user',
  },
  'packages/cli/src/ssh/url-rewriter.ts': { '\\/+$': 'the URL of a service, from the server' },
  'packages/cli/src/ssh/user-config.ts': {
    '^\\s*([A-Za-z]+)(?:\\s*=\\s*|\\s+)(.*?)\\s*$': 'lines of the user’s own SSH configuration',
  },
  'packages/client/src/client.ts': { '\\/+$': 'the URL of the user’s own server' },
  'packages/contract/src/grammar/duration.ts': {
    '(\\d+(?:\\.\\d+)?)(weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)':
      'only called with texts up to 40 characters',
  },
  'packages/contract/src/json-schema/build.ts': {
    '^(\\w+?)_(\\w+)_$': 'names of our own models',
  },
};
