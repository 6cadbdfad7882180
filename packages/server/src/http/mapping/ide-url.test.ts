import { expect, it } from 'vitest';
import { ideUrl } from './ide-url.ts';

it.each([
  ['vscode', '/work/src', 'vscode://vscode-remote/ssh-remote+web/work/src'],
  ['zed', '/home/me', 'zed://ssh/web/home/me'],
  ['cursor', '/a b/%2e?x=1#y', 'cursor://vscode-remote/ssh-remote+web/a%20b/%252e%3Fx%3D1%23y'],
  [
    'vscode',
    '/a\n\u001b[2Jb\ud800',
    'vscode://vscode-remote/ssh-remote+web/a%0A%1B%5B2Jb%EF%BF%BD',
  ],
] as const)('a link for %s opens the directory %j and nothing else', (ide, directory, url) => {
  expect(ideUrl(ide, 'web', directory)).toBe(url);
});
