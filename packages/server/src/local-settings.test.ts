import { describe, expect, it } from 'vitest';
import { localSettings } from './local-settings.ts';

describe("settings of the server's machine", () => {
  it('tell an empty list of projects from none', () => {
    expect(localSettings({ DSTACK_LOCAL_PROJECTS: '' }).projects).toEqual([]);
    expect(localSettings({ DSTACK_LOCAL_PROJECTS: ' a, b,' }).projects).toEqual(['a', 'b']);
  });
});
