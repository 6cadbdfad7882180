/** Actions of users on members of arrays, whether these are born or not. */
import { memberName } from '@dstack/contract';
import { arrayOf, indexesOf, type RunRecord } from '@dstack/core';
import { holdRuns, releaseRuns, setRunPriority } from '../../http/runs/hold.ts';
import { stopRuns } from '../../http/runs/service.ts';
import { activeRuns } from './active-runs.ts';
import type { UserParts } from './user-parts.ts';

export class UserArrays {
  readonly #parts: UserParts;

  constructor(parts: UserParts) {
    this.#parts = parts;
  }

  /** One member is stopped, held, released, or gets another priority than its array. */
  async act(): Promise<void> {
    const { deps, store, random, user, projects } = this.#parts;
    const array = random.pick((await activeRuns(store)).filter(({ spec }) => arrayOf(spec)));
    const project = projects.find(({ id }) => id === array?.projectId);
    const name = array && this.#anyMember(array);
    if (!project || name === undefined) return;
    switch (random.weighted({ stop: 3, hold: 2, release: 2, priority: 1 })) {
      case 'stop':
        await stopRuns(deps, project, { names: [name], abort: random.chance(0.3) }, user);
        return;
      case 'hold':
        await holdRuns(deps, project, user, { runs_names: [name] });
        return;
      case 'release':
        await releaseRuns(deps, project, user, { runs_names: [name] });
        return;
      case 'priority': {
        const priority = random.whole(0, 100);
        await setRunPriority(deps, project, user, { run_name: name, priority });
      }
    }
  }

  #anyMember({ name, spec }: RunRecord): string | undefined {
    const array = arrayOf(spec);
    const index = array ? this.#parts.random.pick(indexesOf(array)) : undefined;
    return index === undefined ? undefined : memberName(name, index);
  }
}
