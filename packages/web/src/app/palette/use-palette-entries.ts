import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Play } from 'lucide-react';
import { recentRuns } from '../../data/runs/run-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { runLook } from '../../domain/runs/run-look.ts';
import type { AppCommand } from '../commands/command.ts';
import { useAllCommands } from '../commands/command-context.tsx';
import type { PaletteEntry } from './palette-entries.ts';

const GROUPS: readonly AppCommand['group'][] = [
  'This page',
  'Create',
  'Go to',
  'Appearance',
  'Session',
];

/** Commands, then the latest objects. */
export function usePaletteEntries(): readonly PaletteEntry[] {
  const client = useClient();
  const navigate = useNavigate();
  const commands = useAllCommands()
    .filter(({ id, when }) => id !== 'palette' && (when?.() ?? true))
    .toSorted((a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group));
  const { data: runs = [] } = useQuery(recentRuns(client));
  return [
    ...commands,
    ...runs.map((run) => ({
      id: run.id,
      group: 'Runs',
      label: run.name,
      hint: `${run.project} · ${runLook(run).text}`,
      icon: Play,
      run: () =>
        navigate({
          to: '/projects/$project/runs/$run',
          params: { project: run.project, run: run.ref },
        }),
    })),
  ];
}
