import { labelOf, originUrl, parseOriginPattern } from '@dstack/proxy';
import { describe, expect, it } from 'vitest';
import { serviceOriginSettings } from './service-origin-settings.ts';

const SERVER = 'https://dstack.example.com';
const read = (text: string, url: string | null = SERVER) =>
  serviceOriginSettings({ DSTACK_SERVER_SERVICES_URL: text }, url);

describe('the host names of services', () => {
  it.each([
    ['https://*.apps.example.com', 'https://web-0a1b2c3d.apps.example.com'],
    ['https://*.apps.example.com:443/', 'https://web-0a1b2c3d.apps.example.com'],
    ['HTTP://*.Apps.Localhost:3000', 'http://web-0a1b2c3d.apps.localhost:3000'],
  ])('have the form of %s', (text, url) => {
    const run = { id: '0a1b2c3d-1111-4222-8333-444444444444', name: 'web' };
    const pattern = parseOriginPattern(text);
    expect(pattern && originUrl(pattern, run)).toBe(url);
  });

  it.each([
    'apps.example.com',
    'https://apps.example.com',
    'https://*.example.com/path',
    'https://*.*.example.com',
    'https://*.exa mple.com',
    'https://user@*.example.com',
    'ftp://*.example.com',
    'https://*.-a.com',
  ])('are refused in the form of %s', (text) => {
    expect(() => read(text)).toThrow(/must have the form https:\/\/\*\.services\.example\.com/);
  });

  it('need a public URL of the server that is not one of them', () => {
    expect(read('')).toBeNull();
    expect(() => read('https://*.apps.example.com', null)).toThrow(/needs DSTACK_SERVER_URL/);
    expect(() => read('https://*.example.com')).toThrow(
      /dstack\.example\.com, is under that domain/,
    );
    expect(read('https://*.dstack.example.com')).not.toBeNull();
  });

  it('are recognised by the whole domain', () => {
    const pattern = { scheme: 'https', domain: 'apps.example.com', port: '' } as const;
    const labels = [
      ['a.apps.example.com', 'a'],
      ['A.Apps.Example.Com.:8443', 'a'],
      ['a.b.apps.example.com', 'a.b'],
      ['apps.example.com', null],
      ['.apps.example.com', ''],
      ['a.xapps.example.com', null],
      ['a.apps.example.com.evil.test', null],
      ['[::1]:80', null],
      ['', null],
    ] as const;
    for (const [host, label] of labels) expect(labelOf(pattern, host), host).toBe(label);
  });
});
