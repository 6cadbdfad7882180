import { describe, expect, it } from 'vitest';
import { localSettings } from './local-settings.ts';

describe("settings of the server's machine", () => {
  it('tell an empty list of projects from none', () => {
    expect(localSettings({ DSTACK_LOCAL_PROJECTS: '' }).projects).toEqual([]);
    expect(localSettings({ DSTACK_LOCAL_PROJECTS: ' a, b,' }).projects).toEqual(['a', 'b']);
  });

  it('are not trusted with a variable that says no', () => {
    const trusted = (text: string) => localSettings({ DSTACK_LOCAL_TRUSTED: text }).trusted;
    expect(['1', 'true'].every(trusted)).toBe(true);
    expect(['', '0', 'false'].some(trusted)).toBe(false);
    expect(() => trusted('maybe')).toThrow('DSTACK_LOCAL_TRUSTED is "maybe"; it may be 1 or 0');
  });
});
