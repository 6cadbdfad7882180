import { describe, expect, it } from 'vitest';
import { type ApiError, errorBody } from '../errors/index.ts';
import { checkClientVersion, olderThan, parseVersion } from './version-check.ts';

function refusal(header: string): unknown {
  try {
    checkClientVersion(header);
  } catch (error) {
    return errorBody(error as ApiError);
  }
  return null;
}

describe('client versions', () => {
  it.each([undefined, 'latest', '0.0.0', '0.0.0.dev3'])('%s counts as the newest', (header) => {
    expect(checkClientVersion(header)).toBeNull();
  });

  it.each(['0.22.5', '0.22.99', '0.22', '0.22.5rc1', '0.22.5.dev0', '0.1.0', 'v0.21.3'])(
    '%s is served',
    (header) => {
      expect(checkClientVersion(header)).not.toBeNull();
    },
  );

  it('refuses a newer minor or major version', () => {
    expect(refusal('0.23.0')).toEqual({
      detail: [
        {
          code: 'error',
          msg: 'The client/CLI version (0.23.0) is incompatible with the server version (0.22.5).',
        },
      ],
    });
    expect(refusal('1.0.0')).toMatchObject({ detail: [{ code: 'error' }] });
  });

  it('refuses text that is not a version, without a code', () => {
    expect(refusal('abc')).toEqual({ detail: [{ msg: 'Invalid version: abc', code: null }] });
    expect(refusal('')).toEqual({ detail: [{ msg: 'Invalid version: ', code: null }] });
  });

  it('orders versions, and treats a client without one as the newest', () => {
    expect(olderThan(parseVersion('0.20.14'), '0.20.20')).toBe(true);
    expect(olderThan(parseVersion('0.20.20'), '0.20.20')).toBe(false);
    expect(olderThan(null, '0.20.20')).toBe(false);
  });
});
