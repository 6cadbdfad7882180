import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BACKEND_KINDS } from '@dstack/backends';
import { SettingsError } from '@dstack/contract';
import { describe, expect, it } from 'vitest';
import { compileSettings } from './settings.ts';

describe('settings', () => {
  it('keep everything under the server folder by default', () => {
    const settings = compileSettings({ HOME: '/home/ann' });
    expect(settings.dir).toBe('/home/ann/.dstack/server');
    expect(settings.databaseUrl).toBe('sqlite:////home/ann/.dstack/server/data/dstack.db');
    expect(settings.port).toBe(3000);
  });

  it('prefer an option to its variable', () => {
    expect(compileSettings({ DSTACK_SERVER_PORT: '4000' }, { port: 5000 }).port).toBe(5000);
  });

  it('name a variable with an invalid value', () => {
    expect(() => compileSettings({ DSTACK_SERVER_PORT: '80a' })).toThrow(
      new SettingsError('DSTACK_SERVER_PORT is "80a"; it must be a whole number'),
    );
    expect(() => compileSettings({ DSTACK_LOCAL_EXECUTOR: 'podman' })).toThrow(
      'DSTACK_LOCAL_EXECUTOR is "podman"; it may be auto, docker, process',
    );
    expect(() => compileSettings({ DSTACK_SERVER_JOB_NETWORK_MODE: '4' })).toThrow(
      'may be 1, 2 or 3',
    );
  });

  it('have nginx carry services only on request, and only where its requests are complete', () => {
    expect(compileSettings({}).proxy).toBe('workers');
    const nginx = { DSTACK_SERVER_PROXY: 'nginx', DSTACK_SERVER_PROXY_WORKERS: '2' };
    expect(compileSettings(nginx)).toMatchObject({ proxy: 'nginx', proxyWorkers: 2 });
    for (const [more, why] of [
      [
        { DSTACK_SERVER_PROXY: 'envoy' },
        'DSTACK_SERVER_PROXY is "envoy"; it may be workers, nginx',
      ],
      [{ DSTACK_SERVER_PROXY_WORKERS: '0' }, 'DSTACK_SERVER_PROXY_WORKERS is 0'],
      [{ DSTACK_SERVER_ACCESS_LOG: '10' }, 'unset it, or DSTACK_SERVER_ACCESS_LOG'],
    ] as const) {
      expect(() => compileSettings({ ...nginx, ...more })).toThrow(why);
    }
    expect(compileSettings({ ...nginx, DSTACK_SERVER_ACCESS_LOG: '0' }).proxy).toBe('nginx');
  });

  it('refuse what no gateway would take', () => {
    expect(() => compileSettings({ DSTACK_SERVER_GATEWAY_MAX_REPLICAS: '1001' })).toThrow(
      'DSTACK_SERVER_GATEWAY_MAX_REPLICAS is 1001; it may be at most 1000',
    );
    expect(() => compileSettings({ DSTACK_ACME_DNS_WAIT: '3601' })).toThrow('at most 3600');
  });

  it('name the log levels listed in the help of the command', () => {
    const level = (logLevel: string) => compileSettings({}, { logLevel }).logLevel;
    expect(() => level('loud')).toThrow(
      'the log level is "loud"; it may be debug, info, warning, error, critical',
    );
    expect(['DEBUG', 'critical', 'warn'].map(level)).toEqual(['debug', 'critical', 'warn']);
  });

  it('limit the connections to PostgreSQL', () => {
    const database = { poolSize: 10, maxOverflow: 10, commandTimeoutSeconds: 60 };
    expect(compileSettings({}).database).toEqual(database);
    const all = { DSTACK_DB_POOL_SIZE: '3', DSTACK_DB_MAX_OVERFLOW: '0' };
    const none = compileSettings({ ...all, DSTACK_DB_COMMAND_TIMEOUT: '0' }).database;
    expect(none).toEqual({ poolSize: 3, maxOverflow: 0, commandTimeoutSeconds: 0 });
  });

  it.each([
    ['DSTACK_DB_POOL_SIZE', '0', 'at least 1'],
    ['DSTACK_DB_COMMAND_TIMEOUT', '86401', 'at most 86400'],
  ])('refuse a %s of %s', (name, value, why) => {
    expect(() => compileSettings({ [name]: value })).toThrow(
      `${name} is ${value}; it may be ${why}`,
    );
  });

  it('control how the server ends', () => {
    expect(compileSettings({}).shutdown).toEqual({ delaySeconds: 0, limitSeconds: 25 });
    const own = { DSTACK_SERVER_SHUTDOWN_TIMEOUT: '0', DSTACK_SERVER_SHUTDOWN_DELAY: '5' };
    expect(compileSettings(own).shutdown).toEqual({ delaySeconds: 5, limitSeconds: 0 });
    expect(() => compileSettings({ DSTACK_SERVER_SHUTDOWN_TIMEOUT: '86401' })).toThrow(
      'DSTACK_SERVER_SHUTDOWN_TIMEOUT is 86401; it may be at most 86400 seconds',
    );
  });

  it('control when images are removed from hosts, 0 meaning never', () => {
    const never = {
      DSTACK_SERVER_IMAGES_DISK_HIGH_PERCENT: '0',
      DSTACK_SERVER_IMAGES_UNUSED_SECONDS: '0',
      DSTACK_SERVER_IMAGES_FETCHED_AHEAD: '0',
    };
    expect(compileSettings({}).images.onHosts).toEqual({
      fetchedAhead: 3,
      policy: { disk_high_percent: 90, unused_for: null },
    });
    expect(compileSettings(never).images.onHosts).toEqual({
      fetchedAhead: 0,
      policy: { disk_high_percent: null, unused_for: null },
    });
    expect(() => compileSettings({ DSTACK_SERVER_IMAGES_DISK_HIGH_PERCENT: '150' })).toThrow(
      'DSTACK_SERVER_IMAGES_DISK_HIGH_PERCENT is 150, over 100',
    );
  });

  it('control how long machines live without the server, and what happens to orphans', () => {
    const lease = (text?: string) =>
      compileSettings({ DSTACK_AGENT_LEASE: text }).agentLeaseSeconds;
    expect([lease(), lease('10m'), lease('off')]).toEqual([7200, 600, null]);
    for (const wrong of ['5s', 'soon', '-1']) {
      expect(() => lease(wrong)).toThrow(
        `DSTACK_AGENT_LEASE is "${wrong}"; it must be a duration of at least 60 seconds`,
      );
    }
    expect(compileSettings({}).catalogUrl).toBeNull();
    expect(() => compileSettings({ DSTACK_CATALOG_URL: 'ftp://x' })).toThrow('http or https URL');
    expect(compileSettings({}).sweep).toBe('report');
    expect(() => compileSettings({ DSTACK_SERVER_SWEEP: 'delete' })).toThrow('report, terminate');
  });

  it('list the proxies whose headers are trusted', () => {
    const proxies = (text?: string) =>
      compileSettings({ DSTACK_SERVER_TRUSTED_PROXIES: text }).trustedProxies;
    expect(proxies()).toEqual([]);
    expect(proxies(' 10.0.0.0/8, ::1,loopback,')).toEqual(['10.0.0.0/8', '::1', 'loopback']);
    for (const wrong of ['proxy.example', '10.0.0.0/33', '*']) {
      expect(() => proxies(wrong)).toThrow(`DSTACK_SERVER_TRUSTED_PROXIES names "${wrong}"`);
    }
  });

  it('are all documented', () => {
    const read = (path: string) => readFileSync(join(import.meta.dirname, path), 'utf8');
    const docs = read('../../../../docs/settings.md') + read('../../../../docs/images.md');
    const code = [
      ...['settings.ts', '../hosts/local-settings.ts', '../config/encryption-keys.ts'],
      '../ssh-entry/entry-settings.ts',
    ]
      .map(read)
      .join();
    const ofKinds = BACKEND_KINDS.flatMap(({ variables }) => variables);
    const names = new Set([...(code.match(/DSTACK_[A-Z_]+/g) ?? []), ...ofKinds]);
    expect([...names].filter((name) => !docs.includes(`\`${name}\``))).toEqual([]);
  });

  it('read an empty flag as set', () => {
    expect(compileSettings({ DSTACK_SERVER_CONFIG_DISABLED: '' }).configDisabled).toBe(true);
    expect(compileSettings({}).configDisabled).toBe(false);
  });
});
