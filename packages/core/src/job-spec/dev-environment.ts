import { shellQuote } from '@dstack/contract/shell';
import type { DevEnvironmentConfiguration } from '@dstack/contract/wire';

type Ide = NonNullable<DevEnvironmentConfiguration['ide']>;

interface IdeFacts {
  readonly title: string;
  /** Start of the link that opens a host in the IDE, up to the host's name. */
  readonly link: string;
  /** Null if the IDE installs its server itself. */
  readonly server: {
    /** Where the IDE looks for the server of a commit, in the user's home. */
    readonly directory: (commit: string) => string;
    readonly program: string;
    /** Archive of the server; `$arch` is `x64` or `arm64`. */
    readonly url: (version: string) => string;
  } | null;
}

const remote = (scheme: string): string => `${scheme}://vscode-remote/ssh-remote+`;

const IDES: Readonly<Record<Ide, IdeFacts>> = {
  vscode: {
    title: 'VS Code',
    link: remote('vscode'),
    server: {
      directory: (commit) => `.vscode-server/bin/${commit}`,
      program: 'code-server',
      url: (version) =>
        `https://update.code.visualstudio.com/commit:${version}/server-linux-$arch/stable`,
    },
  },
  cursor: {
    title: 'Cursor',
    link: remote('cursor'),
    server: {
      directory: (commit) => `.cursor-server/cli/servers/Stable-${commit}/server`,
      program: 'cursor-server',
      url: (version) =>
        `https://cursor.blob.core.windows.net/remote-releases/${version}/vscode-reh-linux-$arch.tar.gz`,
    },
  },
  windsurf: {
    title: 'Windsurf',
    link: remote('windsurf'),
    server: {
      directory: (commit) => `.windsurf-server/bin/${commit}`,
      program: 'windsurf-server',
      url: (version) => {
        const [release, commit] = version.split('@');
        return `https://windsurf-stable.codeiumdata.com/linux-reh-$arch/stable/${commit}/windsurf-reh-linux-$arch-${release}.tar.gz`;
      },
    },
  },
  zed: { title: 'Zed', link: 'zed://ssh/', server: null },
};

const EXTENSIONS = ['ms-python.python', 'ms-toolsai.jupyter'];

/** Lines that only images need, and that are left out without a container. */
export function devInstallCommands(configuration: DevEnvironmentConfiguration): string[] {
  const { ide, version } = configuration;
  return [...(ide && version ? installServer(IDES[ide], version) : []), INSTALL_IPYKERNEL];
}

/** The user's own lines, the hints for connecting, and the wait. */
export function devCommands(configuration: DevEnvironmentConfiguration, runName: string): string[] {
  const { ide, setup, init } = configuration;
  return [
    ...setup,
    "echo ''",
    ...init,
    ...(ide ? linkHint(IDES[ide], runName) : []),
    `echo 'Connect over SSH with: ssh ${runName}'`,
    "echo ''",
    'tail -f /dev/null',
  ];
}

/** Notebooks need it; the environment is useful even if the installation fails. */
const INSTALL_IPYKERNEL =
  '{ { uv pip install -q --no-cache-dir ipykernel || pip install -q --no-cache-dir ipykernel; } ' +
  "2> /dev/null || echo 'ipykernel was not installed: neither uv nor pip could do it'; }";

/** Downloads the server before the first connection. Best effort: the IDE can still download it. */
function installServer({ title, server }: IdeFacts, version: string): string[] {
  if (!server) return [];
  const commit = version.split('@').at(-1) ?? version;
  const url = server.url(version).replaceAll(/[^\w:/.@$-]/g, '');
  const extensions = EXTENSIONS.map((name) => `--install-extension ${name}`).join(' ');
  const steps = [
    `dir=~/${shellQuote(server.directory(commit))}`,
    'case "$(uname -m)" in aarch64 | arm64) arch=arm64 ;; *) arch=x64 ;; esac',
    'mkdir -p "$dir"',
    `{ curl -fsSL "${url}" || wget -qO- "${url}"; } | tar -xz -C "$dir" --strip-components=1`,
    `"$dir/bin/${server.program}" --accept-server-license-terms ${extensions} > /dev/null`,
  ];
  return [
    `{ ( ${steps.join(' && ')} ) 2> /dev/null || ` +
      `echo 'The server of ${title} was not installed; it will install it itself'; }`,
  ];
}

function linkHint({ title, link }: IdeFacts, runName: string): string[] {
  return [
    `echo 'Open in ${title}:'`,
    "echo ''",
    `echo "  ${link}${runName}$DSTACK_WORKING_DIR"`,
    "echo ''",
  ];
}
