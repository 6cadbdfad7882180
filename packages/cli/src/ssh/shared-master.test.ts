import { expect, test } from 'vitest';
import { describeMaster, sharedTunnel } from './shared-master.ts';

const ours = (owner: number) =>
  `ssh -F /h/.dstack/ssh/config -i /h/k -E /h/.dstack/ssh/web.${owner}.log -N -S /h/web.control.sock ` +
  '-o ControlMaster=yes -L localhost:8001:localhost:8000 -L localhost:9000:localhost:9000 web';

test('the forwards of a connection are read from its command line', () => {
  expect(describeMaster(7, { parent: 5, args: ours(5) })).toEqual({
    pid: 7,
    ports: [
      { local: 8001, remote: 8000 },
      { local: 9000, remote: 9000 },
    ],
    bindAddress: 'localhost',
    leftover: false,
  });
});

test('a connection whose attachment has died counts as left over', () => {
  expect(describeMaster(7, { parent: 1, args: ours(5) }).leftover).toBe(true);
});

test('a daemon of dstack 0.22.5 belongs to no attachment and does not count as left over', () => {
  const args =
    'ssh -F /h/.dstack/ssh/config -i /h/k -E /tmp/ab12/tunnel.log -N -f -o ControlMaster=auto -S /h/web.control.sock ' +
    '-L [::1]:41000:localhost:10999 -L [::1]:8000:localhost:8000 root@web';
  expect(describeMaster(7, { parent: 1, args })).toMatchObject({
    ports: [{ local: 8000, remote: 8000 }],
    bindAddress: '::1',
    leftover: false,
  });
});

test('releasing a connection of another terminal counts as losing it, at once', async () => {
  const master = { pid: process.pid, ports: [], bindAddress: 'localhost', leftover: false };
  const tunnel = sharedTunnel(master);
  await tunnel.close();
  expect(await tunnel.lost).toBe('');
});
