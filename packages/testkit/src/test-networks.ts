/** Networks for sets of hosts that run at the same time, each with its own. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ClaimedNetwork {
  /** The first three numbers of its addresses. */
  readonly network: string;
  release(): void;
}

const NETWORKS = 250;

/**
 * A /24 that no other process has claimed, and that no link has. Links are made some time after their network was chosen,
 * and Node does not list a bridge whose last host has ended. `dir`: that of the claims, which a killed process leaves.
 */
export function claimNetwork(dir = tmpdir()): ClaimedNetwork {
  const taken = execFileSync('ip', ['-o', '-4', 'address'], { encoding: 'utf8' });
  for (let tries = 0; tries < NETWORKS; tries++) {
    const third = (process.pid + tries) % NETWORKS;
    const network = `10.213.${third}`;
    const claim = join(dir, `test-network-${third}`);
    if (taken.includes(` ${network}.`) || !isClaimed(claim)) continue;
    return { network, release: () => rmSync(claim, { force: true }) };
  }
  throw new Error(`All networks of tests are taken: see ${dir}/test-network-* and \`ip address\``);
}

/** Whether this process has it now. */
function isClaimed(claim: string): boolean {
  for (let tries = 0; tries < 2; tries++) {
    try {
      writeFileSync(claim, String(process.pid), { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (isAlive(holderOf(claim))) return false;
      rmSync(claim, { force: true });
    }
  }
  return false;
}

/** Null: it is being written, or was released meanwhile. */
function holderOf(claim: string): number | null {
  try {
    return Number(readFileSync(claim, 'utf8')) || null;
  } catch {
    return null;
  }
}

function isAlive(pid: number | null): boolean {
  if (pid === null) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
