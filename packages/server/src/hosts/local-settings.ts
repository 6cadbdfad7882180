import { choiceVariable, PROJECT_NAME, type ProcessEnv, SettingsError } from '@dstack/contract';

/** User ids, both ends included. */
export interface LocalUids {
  readonly first: number;
  readonly last: number;
}

/** How jobs run on the server's machine. */
export interface LocalSettings {
  readonly executor: 'auto' | 'docker' | 'process';
  /** Projects that may run jobs here; null = `main`, and only while the server is private. */
  readonly projects: readonly string[] | null;
  /**
   * Whether jobs may use settings that give them control of the machine: `privileged`, its
   * directories, its users.
   */
  readonly trusted: boolean;
  /** User ids for process jobs, one each, if the server runs as root. */
  readonly uids: LocalUids;
  /** USD per hour of the whole machine; null = it is not known. */
  readonly price: number | null;
}

const MOST_PRICE = 100_000;
const DEFAULT_UIDS = '61184-65519';
/** Lower ids belong to the system and to its users. */
const FIRST_UID = 1000;
/** The system uses the two highest ids as "no id". */
const LAST_UID = 2 ** 32 - 3;

export function localSettings(env: ProcessEnv): LocalSettings {
  return {
    executor: choiceVariable(env, 'DSTACK_LOCAL_EXECUTOR', ['auto', 'docker', 'process']),
    projects: projects(env.DSTACK_LOCAL_PROJECTS),
    trusted: trusted(env.DSTACK_LOCAL_TRUSTED ?? ''),
    uids: uidRange(env.DSTACK_LOCAL_UIDS || DEFAULT_UIDS),
    price: dollars(env.DSTACK_LOCAL_PRICE ?? ''),
  };
}

/** An empty list allows no project. */
function projects(text: string | undefined): readonly string[] | null {
  if (text === undefined) return null;
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const wrong = names.find((name) => !PROJECT_NAME.test(name));
  if (wrong === undefined) return names;
  throw new SettingsError(
    `DSTACK_LOCAL_PROJECTS contains ${JSON.stringify(wrong)}; it may be names of projects, separated by commas`,
  );
}

/** Not a flag like others: with the value 0 the machine must stay closed. */
function trusted(text: string): boolean {
  switch (text.trim().toLowerCase()) {
    case '1':
    case 'true':
      return true;
    case '':
    case '0':
    case 'false':
      return false;
    default:
      throw new SettingsError(`DSTACK_LOCAL_TRUSTED is ${JSON.stringify(text)}; it may be 1 or 0`);
  }
}

/** 0 would not be distinguished from a price that is not known. */
function dollars(text: string): number | null {
  if (text.trim() === '') return null;
  const price = Number(text);
  if (price > 0 && price <= MOST_PRICE) return price;
  throw new SettingsError(
    `DSTACK_LOCAL_PRICE is ${JSON.stringify(text)}; it must be what the machine costs per hour, in dollars, such as 0.35`,
  );
}

function uidRange(text: string): LocalUids {
  const [, from, to] = /^\s*(\d{1,10})\s*-\s*(\d{1,10})\s*$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (first >= FIRST_UID && first <= last && last <= LAST_UID) return { first, last };
  throw new SettingsError(
    `DSTACK_LOCAL_UIDS is ${JSON.stringify(text)}; it must be two user ids from ${FIRST_UID} on, such as ${DEFAULT_UIDS}`,
  );
}
