import type { ServiceTable } from '@dstack/proxy';
import type { Services } from '@dstack/store';
import { viewRoute } from './view-route.ts';

/** The services of the database that no gateway serves. */
export function serviceTable(
  services: Pick<Services, 'byName' | 'addRequests' | 'setLoad' | 'takeRate'>,
): ServiceTable {
  return {
    async byName(projectName, runName) {
      const view = await services.byName(projectName, runName);
      return view && viewRoute(view);
    },
    addRequests: (...asked) => services.addRequests(...asked),
    setLoad: (...asked) => services.setLoad(...asked),
    takeRate: (...asked) => services.takeRate(...asked),
  };
}
