import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { hostsMissing } from './hosts.ts';
import { claimNetwork } from './test-networks.ts';

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'networks-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}
const thirdOf = ({ network }: { readonly network: string }) => Number(network.split('.')[2]);
/** Above every process id of Linux. */
const NO_PROCESS = 4_194_305;

it('sets of hosts that start at the same time have different networks', () => {
  const dir = folder();
  const first = claimNetwork(dir);
  const second = claimNetwork(dir);
  expect(second.network).not.toBe(first.network);
  first.release();
  expect(claimNetwork(dir).network).toBe(first.network);
});

it('the network of a process that was killed is free again', () => {
  const dir = folder();
  const { network, release } = claimNetwork(dir);
  release();
  writeFileSync(join(dir, `test-network-${thirdOf({ network })}`), String(NO_PROCESS));
  expect(claimNetwork(dir).network).toBe(network);
  expect(existsSync(join(dir, `test-network-${thirdOf({ network })}`))).toBe(true);
});

it.skipIf(hostsMissing() !== null)('a network whose last host has ended is not taken', () => {
  const dir = folder();
  const { network, release } = claimNetwork(dir);
  release();
  const name = `tn${process.pid.toString(36)}`;
  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });
  onTestFinished(() => void ip('link', 'del', name));
  // As a bridge without hosts: Node does not list a link without a carrier.
  ip('link', 'add', name, 'type', 'bridge');
  ip('address', 'add', `${network}.1/24`, 'dev', name);
  expect(claimNetwork(dir).network).not.toBe(network);
});
