import { describe, expect, it } from 'vitest';
import { BackendConfigWithCreds } from '../wire/index.ts';
import { BACKEND_FORMS, backendConfiguration } from './backend-forms.ts';

/** The text that a person would type. */
const typed = (type: string): Record<string, string> =>
  Object.fromEntries(
    BACKEND_FORMS[type]?.fields.map(({ path }) => [path, path === '.regions' ? 'a-1, b-2' : 'x']) ??
      [],
  );

describe('the form of a backend', () => {
  it.each(Object.keys(BACKEND_FORMS))('%s has all that the server requires', (type) => {
    const written = backendConfiguration(type, typed(type));
    expect(BackendConfigWithCreds.safeParse(written).error).toBeUndefined();
  });

  it('leaves out what was left empty', () => {
    expect(
      backendConfiguration('aws', { access_key: 'A', secret_key: 'B', '.regions': ' ' }),
    ).toEqual({ type: 'aws', creds: { type: 'access_key', access_key: 'A', secret_key: 'B' } });
  });
});
