import { useQueries } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { runQuery } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import {
  MOST_COMPARED,
  parseRunRefs,
  type RunRef,
  runRefs,
} from '../../domain/compare/run-refs.ts';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { CompareView } from './compare-view.tsx';

const route = getRouteApi('/shell/compare');

/** A few runs beside each other. */
export function ComparePage() {
  usePageTitle('Compare runs');
  const client = useClient();
  const navigate = useNavigate({ from: '/compare' });
  const { runs: asked = '', keys = 'differing', jobs = 'all', project = null } = route.useSearch();
  const refs = useMemo(() => parseRunRefs(asked, project), [asked, project]);
  const results = useQueries({
    queries: refs.map((ref) => runQuery(client, ref.project, ref.ref)),
  });
  const setRefs = (next: readonly RunRef[]) =>
    void navigate({
      search: (before) => ({ ...before, runs: next.length === 0 ? undefined : runRefs(next) }),
      replace: true,
    });
  return (
    <CompareView
      slots={refs.map((ref, index) => {
        const result = results[index];
        return {
          ref,
          run: result?.data,
          // Hides the error of a later request: the page keeps showing a run that was loaded before.
          error: result?.data === undefined ? (result?.error ?? null) : null,
          onRetry: () => void result?.refetch(),
          onRemove: () => setRefs(refs.filter((one) => one !== ref)),
        };
      })}
      keys={keys}
      onKeys={(next) =>
        void navigate({ search: (before) => ({ ...before, keys: next }), replace: true })
      }
      jobs={jobs}
      onJobs={(next) =>
        void navigate({ search: (before) => ({ ...before, jobs: next }), replace: true })
      }
      onAdd={refs.length < MOST_COMPARED ? (ref) => setRefs([...refs, ref]) : null}
    />
  );
}
