/** The interface by which an account gives its machines real hosts. The yard implements it. */

export interface VmHostOrder {
  readonly id: string;
  readonly name: string;
  readonly loginUser: string;
  /** Public keys, one line each. */
  readonly authorizedKeys: readonly string[];
  readonly userData: string | null;
  /** Without: it boots, and its sshd never answers. */
  readonly hasSshd: boolean;
  /** Whether it gets the address that was released last, instead of the one released first. */
  readonly reusesAddress: boolean;
  /** Null: its provider has none. */
  readonly metadata: MetadataSource | null;
  /** Null, or omitted: it is a machine with an operating system of its own. */
  readonly container?: HostContainer | null;
  /** The program of the container has ended, with this output. */
  readonly onExit?: (output: string) => void;
  /** Called when it is powered off from inside. */
  readonly onPowerOff?: () => void;
}

/** A container as a provider starts it, in place of a machine. */
export interface HostContainer {
  readonly image: string;
  /** Empty: those of the image. */
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** In clear text; null = none was given. */
  readonly registryAuth: { readonly username: string; readonly password: string } | null;
  /** Network volumes by their ids, and where they are mounted. */
  readonly volumes: readonly { readonly id: string; readonly path: string }[];
}

/** Answers what the machine asks at 169.254.169.254. */
export type MetadataSource = (request: MetadataRequest) => MetadataAnswer;

export interface MetadataRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface MetadataAnswer {
  readonly status: number;
  /** Plain text. */
  readonly body: string;
}

export interface VmHosts {
  /** Resolves with the address when the host has booted; rejects if it cannot. */
  boot(order: VmHostOrder): Promise<string>;
  /** Also of a host that still boots. An unknown one has ended. */
  end(id: string): Promise<void>;
  /** Kills all its processes and boots it anew, with the same disk and address. */
  reboot(id: string): Promise<void>;
}
