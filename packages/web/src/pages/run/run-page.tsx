import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, Outlet } from '@tanstack/react-router';
import { runQuery } from '../../data/runs/run-queries.ts';
import { runRow } from '../../data/runs/run-row.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { runLook } from '../../domain/runs/run-look.ts';
import { buttonClass } from '../../ui/button/button.tsx';
import { ResourcePage } from '../../ui/panel/resource-page.tsx';
import { useOpenTab } from '../../ui/tabs/use-open-tab.ts';
import { RunPageContext } from './run-context.tsx';
import { RUN_TABS, RunFrame } from './run-frame.tsx';

const route = getRouteApi('/shell/projects/$project/runs/$run');

/** A run: its header and tabs. The tabs are routes of their own. */
export function RunPage() {
  const { project, run: ref } = route.useParams();
  const query = useQuery(runQuery(useClient(), project, ref));
  return (
    <ResourcePage
      noun="run"
      name={query.data?.run_spec.run_name ?? ref}
      query={query}
      isDeleted={(run) => run.deleted === true}
      titleStatus={(run) => runLook(runRow(run)).text}
      part={useOpenTab(RUN_TABS)}
      back={
        <Link to="/runs" className={buttonClass({})}>
          All runs
        </Link>
      }
    >
      {(run, notice) => (
        <RunPageContext.Provider value={run}>
          <RunFrame run={run} notice={notice}>
            <Outlet />
          </RunFrame>
        </RunPageContext.Provider>
      )}
    </ResourcePage>
  );
}
