import type { Instance } from '@dstack/contract/wire';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { CirclePause, CirclePlay, LogOut } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { fleetKeys } from '../../data/fleets/fleet-queries.ts';
import { instanceKeys } from '../../data/fleets/instance-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import { Button } from '../../ui/button/button.tsx';
import { errorText } from '../../ui/feedback/error-text.ts';
import { useSubmit } from '../../ui/form/use-submit.ts';
import type { RowAction } from '../../ui/table/row-action.ts';
import { toast } from '../../ui/toast/toaster.tsx';
import { CareDialog, type CareKind, CORDON, DRAIN } from './care-dialog.tsx';

/** Keeps new jobs off an instance, has its jobs leave it, or lets it get jobs again. */
export function InstanceCare({ instance }: { readonly instance: Instance }) {
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const [kind, setKind] = useState<CareKind | null>(null);
  const { isByPerson, isLeaving } = careState(instance);
  const change = (call: () => Promise<unknown>, done: string) =>
    submission.submit(async () => {
      await call();
      await refresh(cache);
      toast.done(`${instance.name} ${done}`);
    });
  const uncordon = () =>
    change(
      () => client.project(instance.project_name).instances.uncordon([instance.name]),
      'gets new jobs again',
    );
  return (
    <>
      {isByPerson ? (
        <Button busy={submission.busy} onClick={() => void uncordon()}>
          Uncordon
        </Button>
      ) : (
        <Button onClick={() => setKind(CORDON)}>Cordon</Button>
      )}
      {isLeaving ? null : <Button onClick={() => setKind(DRAIN)}>Drain</Button>}
      {kind === null ? null : (
        <CareDialog
          kind={kind}
          instance={instance}
          submission={submission}
          onClose={() => setKind(null)}
          onSubmit={(care) => change(() => kind.request(client, instance, care), kind.done)}
        />
      )}
    </>
  );
}

async function refresh(cache: QueryClient): Promise<void> {
  await cache.invalidateQueries({ queryKey: instanceKeys.all });
  await cache.invalidateQueries({ queryKey: fleetKeys.all });
}

function careState({ scheduling }: Instance) {
  const state = scheduling?.state ?? null;
  return {
    isByPerson: state !== null && state !== 'quarantined',
    isLeaving: state === 'draining' || state === 'drained',
  };
}

/** The same as entries of a menu. `reasonFor`: why the reader may not; null: they may. */
export function useCareActions(reasonFor: (instance: Instance) => string | null): {
  readonly actionsOf: (instance: Instance) => readonly RowAction[];
  readonly dialog: ReactNode;
} {
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const [asked, setAsked] = useState<{ kind: CareKind; instance: Instance } | null>(null);
  const uncordon = async ({ project_name, name }: Instance) => {
    try {
      await client.project(project_name).instances.uncordon([name]);
      await refresh(cache);
      toast.done(`${name} gets new jobs again`);
    } catch (error) {
      toast.failed(`${name} could not be uncordoned`, errorText(error).what);
    }
  };
  const actionsOf = (instance: Instance): readonly RowAction[] => {
    const { isByPerson, isLeaving } = careState(instance);
    const disabledReason = reasonFor(instance);
    const first: RowAction = isByPerson
      ? { label: 'Uncordon', icon: CirclePlay, run: () => void uncordon(instance) }
      : { label: 'Cordon', icon: CirclePause, run: () => setAsked({ kind: CORDON, instance }) };
    const drain: RowAction = {
      ...{ label: 'Drain', icon: LogOut, run: () => setAsked({ kind: DRAIN, instance }) },
    };
    return [first, ...(isLeaving ? [] : [drain])].map((action) => ({ ...action, disabledReason }));
  };
  const close = () => setAsked(null);
  const dialog =
    asked === null ? null : (
      <CareDialog
        kind={asked.kind}
        instance={asked.instance}
        submission={submission}
        onClose={close}
        onSubmit={(care) =>
          submission.submit(async () => {
            await asked.kind.request(client, asked.instance, care);
            await refresh(cache);
            toast.done(`${asked.instance.name} ${asked.kind.done}`);
          })
        }
      />
    );
  return { actionsOf, dialog };
}
