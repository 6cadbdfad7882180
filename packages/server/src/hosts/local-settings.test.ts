import { describe, expect, it } from 'vitest';
import { localSettings } from './local-settings.ts';

describe("settings of the server's machine", () => {
  it('trust no project by default, and give process jobs ids that no other program uses', () => {
    expect(localSettings({})).toEqual({
      executor: 'auto',
      projects: null,
      trusted: false,
      uids: { first: 61184, last: 65519 },
      price: null,
    });
  });

  it('distinguish an empty list of projects from a missing one', () => {
    expect(localSettings({ DSTACK_LOCAL_PROJECTS: '' }).projects).toEqual([]);
    expect(localSettings({ DSTACK_LOCAL_PROJECTS: ' a, b,' }).projects).toEqual(['a', 'b']);
  });

  it('refuse a list with a sign for all projects, which would name none', () => {
    expect(() => localSettings({ DSTACK_LOCAL_PROJECTS: 'ml, *' })).toThrow(
      'DSTACK_LOCAL_PROJECTS contains "*"; it may be names of projects, separated by commas',
    );
  });

  it('stay untrusted if the variable is 0', () => {
    const trusted = (text: string) => localSettings({ DSTACK_LOCAL_TRUSTED: text }).trusted;
    expect(['1', 'true'].every(trusted)).toBe(true);
    expect(['', '0', 'false'].some(trusted)).toBe(false);
    expect(() => trusted('maybe')).toThrow('DSTACK_LOCAL_TRUSTED is "maybe"; it may be 1 or 0');
  });

  it('have a price only if it is one', () => {
    const price = (text: string) => localSettings({ DSTACK_LOCAL_PRICE: text }).price;
    expect([price(''), price('0.35'), price('2')]).toEqual([null, 0.35, 2]);
    for (const text of ['0', '-1', 'free', 'Infinity', '1e9']) {
      expect(() => price(text)).toThrow(
        `DSTACK_LOCAL_PRICE is ${JSON.stringify(text)}; it must be`,
      );
    }
  });

  it.each(['0-10', '999-2000', '70000-60000', '61184', 'a-b', '61184-99999999999'])(
    'refuse the user ids %s',
    (text) => {
      expect(() => localSettings({ DSTACK_LOCAL_UIDS: text })).toThrow(
        `DSTACK_LOCAL_UIDS is ${JSON.stringify(text)}; it must be two user ids from 1000 on`,
      );
    },
  );
});
