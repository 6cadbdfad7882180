import { describe, expect, it } from 'vitest';
import { checkCredentials, enrootCredentials, pyxisImage } from './credentials.ts';

describe('credentials for a registry', () => {
  it.each([
    ['busybox:1', null, 'busybox:1'],
    ['library/busybox:1', 'me', 'me@library/busybox:1'],
    ['ghcr.io/a/b:1', null, 'ghcr.io#a/b:1'],
    ['nvcr.io/a/b:1', '$oauthtoken', '$oauthtoken@nvcr.io#a/b:1'],
    ['localhost:5000/a@sha256:0', null, 'localhost:5000#a@sha256:0'],
  ])('name the image %s of user %s as %s for pyxis', (image, user, expected) => {
    expect(pyxisImage(image, user)).toBe(expected);
  });

  it('are a file of enroot, for the registry and for the host of its tokens', () => {
    const auth = { username: 'me', password: 'p#1!' };
    expect(enrootCredentials('registry.example:5000/a/b:1', auth)).toBe(
      'machine registry.example login me password p#1!\ndefault login me password p#1!\n',
    );
    expect(enrootCredentials('me/private', auth)).toContain('machine auth.docker.io login me');
  });

  it.each(['$(touch /tmp/evil)', '$HOME', 'a b', 'a\nmachine x', 'a"b', 'a\\b', '', 'a\tb', 'ü'])(
    'have no password like %j',
    (password) => {
      expect(() => checkCredentials({ username: 'me', password })).toThrow(
        'registry_auth.password',
      );
    },
  );

  it.each(['a b', 'me@example.com', 'me\n', '.*/', '', 'a:b'])(
    'have no user like %j',
    (username) => {
      expect(() => checkCredentials({ username, password: 'p' })).toThrow('registry_auth.username');
    },
  );

  it.each(['glpat-x_Y', 'ghp_0123', 'a$(b)', 'eyJhbGciOi.x-y='])(
    'have a password like %j',
    (password) => {
      expect(() => checkCredentials({ username: '$oauthtoken', password })).not.toThrow();
    },
  );
});
