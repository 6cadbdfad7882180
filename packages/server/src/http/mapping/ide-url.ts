type Ide = 'vscode' | 'cursor' | 'windsurf' | 'zed';

export const IDE_NAMES: Readonly<Record<Ide, string>> = {
  vscode: 'VS Code',
  cursor: 'Cursor',
  windsurf: 'Windsurf',
  zed: 'Zed',
};

/** The link that opens a directory of a host in an editor; `host` is a name without special characters. */
export function ideUrl(ide: Ide, host: string, directory: string): string {
  const path = directory.toWellFormed().split('/').map(encodeURIComponent).join('/');
  if (ide === 'zed') return `zed://ssh/${host}${path}`;
  return `${ide}://vscode-remote/ssh-remote+${host}${path}`;
}
