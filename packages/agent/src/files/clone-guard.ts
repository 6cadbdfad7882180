/**
 * Keeps a clone away from the addresses of the host: git speaks HTTP through a proxy of the agent, and
 * OpenSSH connects only to addresses that the agent has resolved and checked.
 */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloneProxy } from '../network/clone-proxy.ts';
import { allowedAddress, HostAddressRefused } from '../network/guarded-dial.ts';
import { withReadableFiles } from './readable-certificates.ts';

/** The hosts of submodules become known one after the other. */
const MOST_HOSTS = 50;

/**
 * Git runs this in place of `ssh`. A host without an address yet is written down, for the next attempt;
 * the check of its characters keeps it out of patterns and of the syntax of the files.
 */
const SSH = `target= last=
for word; do target=$last; last=$word; done
host=\${target##*@}
case $host in ''|-*|*[!A-Za-z0-9._:-]*) echo "fatal: not a host: $host" >&2; exit 1;; esac
if ! grep -qxF "Host $host" "$DSTACK_GUARD/hosts"; then echo "$host" >> "$DSTACK_GUARD/asked"; exit 1; fi
eval "exec $DSTACK_SSH -F \\"\\$DSTACK_GUARD/hosts\\" \\"\\$@\\""
`;
/** Bytes of the list that git's user may write to. */
const MOST_ASKED = 16 * 1024;
const HOST = /^[A-Za-z0-9._:][A-Za-z0-9._:-]*$/;

export class CloneGuard {
  readonly #dir: string;
  readonly #proxy: CloneProxy;
  readonly #pinned = new Set<string>();
  #refusal: HostAddressRefused | null = null;

  private constructor(dir: string, proxy: CloneProxy) {
    this.#dir = dir;
    this.#proxy = proxy;
  }

  /** `dir`: for files of the guard. Git's user may enter it, and not write to it. */
  static async open(dir: string): Promise<CloneGuard> {
    mkdirSync(dir, { recursive: true });
    for (const [name, text, mode] of [
      ['ssh', SSH, 0o644],
      ['hosts', '', 0o644],
      ['asked', '', 0o666],
    ] as const) {
      writeFileSync(join(dir, name), text);
      chmodSync(join(dir, name), mode);
    }
    chmodSync(dir, 0o755);
    return new CloneGuard(dir, await CloneProxy.open());
  }

  /** Variables of git for the network. `ssh`: the command of OpenSSH, by the rules of the shell. */
  environment(network: NodeJS.ProcessEnv, ssh: string): NodeJS.ProcessEnv {
    return {
      ...this.#proxies(withReadableFiles(network, this.#dir)),
      DSTACK_GUARD: this.#dir,
      DSTACK_SSH: ssh,
      // By the shell, since the directory may lie on a file system without programs.
      GIT_SSH_COMMAND: 'sh "$DSTACK_GUARD/ssh"',
      GIT_SSH_VARIANT: 'ssh',
    };
  }

  /** The reason of a refused connection; null if there was none. */
  get refusal(): string | null {
    return (this.#refusal ?? this.#proxy.refusal)?.message ?? null;
  }

  /** Resolves the hosts that git asked for. False: there is none, so that another attempt would not help. */
  async resolveAsked(): Promise<boolean> {
    let found = false;
    for (const host of this.#asked()) {
      if (this.#pinned.has(host) || this.#pinned.size >= MOST_HOSTS) continue;
      try {
        const address = await allowedAddress(host);
        appendFileSync(join(this.#dir, 'hosts'), `Host ${host}\n  HostName ${address}\n`);
        this.#pinned.add(host);
        found = true;
      } catch (error) {
        if (error instanceof HostAddressRefused) this.#refusal ??= error;
        else throw error;
      }
    }
    return found;
  }

  close(): void {
    this.#proxy.close();
  }

  #asked(): string[] {
    const text = readFileSync(join(this.#dir, 'asked')).subarray(0, MOST_ASKED).toString();
    return [...new Set(text.split('\n'))].filter((line) => HOST.test(line));
  }

  /**
   * A proxy that the operator has set for the agent stays; it decides itself what it connects to. Of the
   * exceptions from it, those that name the host are left out.
   */
  #proxies(network: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    const of = (name: string) => network[name] || network[name.toUpperCase()];
    const all = of('all_proxy');
    const isProxy = (name: string) => /_proxy$/i.test(name);
    const others = Object.entries(network).filter(([name]) => !isProxy(name));
    const exceptions = (of('no_proxy') ?? '').split(',').map((part) => part.trim());
    const kept = exceptions.filter((part) => part !== '' && !namesHost(part));
    return {
      ...Object.fromEntries(others),
      http_proxy: of('http_proxy') ?? all ?? this.#proxy.url,
      https_proxy: of('https_proxy') ?? all ?? this.#proxy.url,
      ...(kept.length > 0 ? { no_proxy: kept.join(',') } : {}),
    };
  }
}

const namesHost = (part: string): boolean =>
  /^(\*|\.?localhost|\[?::|127\.|0\.|169\.254\.|\[?fe[89ab])/i.test(part);
