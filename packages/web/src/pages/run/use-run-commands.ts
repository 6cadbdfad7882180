import type { Run } from '@dstack/contract/wire';
import { useNavigate } from '@tanstack/react-router';
import { Activity, Columns3, Info, Logs, SquareTerminal } from 'lucide-react';
import { useMemo } from 'react';
import type { AppCommand } from '../../app/commands/command.ts';
import { useCommands } from '../../app/commands/command-context.tsx';
import { runRef } from '../../data/runs/run-row.ts';
import { runRefs } from '../../domain/compare/run-refs.ts';

/** Shortcuts of the run page. */
export function useRunCommands(run: Run): void {
  const navigate = useNavigate();
  const project = run.project_name;
  const name = run.run_spec.run_name ?? '';
  const { id } = run;
  const ref = runRef(run);
  const commands = useMemo<readonly AppCommand[]>(() => {
    const params = { project, run: ref };
    const group = 'This page' as const;
    return [
      {
        id: 'run.overview',
        label: `Overview of ${name}`,
        group,
        keys: 'o',
        icon: Info,
        run: () => void navigate({ to: '/projects/$project/runs/$run', params }),
      },
      {
        id: 'run.logs',
        label: `Logs of ${name}`,
        group,
        keys: 'l',
        icon: Logs,
        run: () => void navigate({ to: '/projects/$project/runs/$run/logs', params }),
      },
      {
        id: 'run.terminal',
        label: `Terminal in ${name}`,
        group,
        keys: 't',
        icon: SquareTerminal,
        // There the key asks for a time.
        when: () => !location.pathname.endsWith('/logs'),
        run: () => void navigate({ to: '/projects/$project/runs/$run/terminal', params }),
      },
      {
        id: 'run.metrics',
        label: `Metrics of ${name}`,
        group,
        keys: 'm',
        icon: Activity,
        run: () => void navigate({ to: '/projects/$project/runs/$run/metrics', params }),
      },
      {
        id: 'run.compare',
        label: `Compare ${name} with other runs`,
        group,
        icon: Columns3,
        run: () =>
          void navigate({ to: '/compare', search: { runs: runRefs([{ project, ref: id }]) } }),
      },
    ];
  }, [navigate, project, name, id, ref]);
  useCommands(commands);
}
