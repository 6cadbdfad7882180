import { startYard, type Yard, yardMissing } from '@dstack/testkit/cloud';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostKeyOf } from './host-keys.ts';
import { firstLease, userData } from './user-data.ts';

const missing = yardMissing();
if (missing && process.env.CI) throw new Error(`User data cannot be tested: ${missing} is missing`);
if (missing) console.warn(`User data is NOT tested: ${missing} is missing`);

const POLL = { timeout: 60_000, interval: 200 };
const FILE = '/var/lib/dstack/lease.json';

describe.skipIf(missing !== null)('a machine with a lease from its boot', () => {
  let yard: Yard;
  const off: string[] = [];
  beforeAll(async () => {
    yard = await startYard();
  });
  afterAll(() => yard?.close());

  const boot = (id: string, data: string) =>
    yard.boot({
      ...{ id, name: id, loginUser: 'ubuntu', authorizedKeys: [], userData: data },
      ...{ hasSshd: true, reusesAddress: false, metadata: null },
      onPowerOff: () => void off.push(id),
    });
  const runs = (script: string) =>
    `#cloud-config\n${JSON.stringify({ runcmd: [['sh', '-c', script]] })}\n`;
  const leaseOf = async (id: string) => JSON.parse(await yard.exec(id, `cat ${FILE}`));

  it('has a file of it that an agent reads, and the files of its provider', async () => {
    const hostKey = hostKeyOf('secret', 'key');
    const files = [{ path: '/etc/default/first.cfg', content: '[Section]\nkey = false\n' }];
    await boot('kept', userData({ authorizedKeys: [], hostKey, leaseSeconds: 7200, files }));
    await expect.poll(() => leaseOf('kept').catch(() => null), POLL).not.toBeNull();
    const bootId = (await yard.exec('kept', 'cat /proc/sys/kernel/random/boot_id')).trim();
    expect(await leaseOf('kept')).toEqual({
      ...{ seconds: 7200, ending: 'poweroff' },
      renewed: { bootId, seconds: expect.any(Number) },
    });
    expect((await yard.exec('kept', `stat -c %a ${FILE}`)).trim()).toBe('600');
    expect(await yard.exec('kept', 'cat /etc/default/first.cfg')).toBe(files[0]?.content);
    await yard.end('kept');
  });

  it('is powered off if no server has renewed it, and lives on if one has', async () => {
    const installed = `mkdir -p /var/lib/dstack; : > /var/lib/dstack/token\n${firstLease(3)}`;
    await Promise.all([
      ...[boot('lost', runs(firstLease(3))), boot('renewed', runs(firstLease(3)))],
      boot('installed', runs(installed)),
    ]);
    await yard.exec('renewed', `until [ -e ${FILE} ]; do sleep 0.1; done; echo '{}' > ${FILE}`);
    await expect.poll(() => off, POLL).toEqual(['lost']);
    // The script looks at the file every three seconds.
    await expect.poll(() => yard.exec('renewed', `pgrep -f '[b]egun=' || true`), POLL).toBe('');
    expect(off).toEqual(['lost']);
    expect(await yard.exec('installed', 'ls /var/lib/dstack')).toBe('token\n');
  });
});
