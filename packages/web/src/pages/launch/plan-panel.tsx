import type { RunPlan } from '@dstack/contract/wire';
import { Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { money, plural } from '../../domain/format/quantities.ts';
import { commandNotes } from '../../domain/launch/command-notes.ts';
import { outlookText } from '../../domain/launch/outlook-text.ts';
import { planEffect } from '../../domain/launch/plan-state.ts';
import type { LaunchPlan } from '../../domain/launch/use-launch-plan.ts';
import { configurationText } from '../../domain/runs/configuration-text.ts';
import { TextDiff } from '../../ui/diff/text-diff.tsx';
import { ErrorPanel } from '../../ui/feedback/error-panel.tsx';
import { Skeleton } from '../../ui/feedback/skeleton.tsx';
import { Panel } from '../../ui/panel/panel.tsx';
import { useStatusAnnouncement } from '../../ui/status/use-status-announcement.ts';
import { FleetsPanel } from './fleets-panel.tsx';
import styles from './launch.module.css';
import { OfferTable } from './offer-table.tsx';

interface PlanPanelProps {
  readonly launch: LaunchPlan;
  readonly error: Error | null;
  /** Explains the error, if another user has caused it. */
  readonly conflict: ReactNode;
}

/** The server's plan: the effect of submitting the configuration, and its cost. */
export function PlanPanel({ launch, error, conflict }: PlanPanelProps) {
  const { plan, isCurrent, problems } = launch;
  return (
    <div className={styles.plan} aria-busy={!isCurrent}>
      {conflict ?? (error === null ? null : <ErrorPanel title="There is no plan" error={error} />)}
      {plan === null ? (
        <Panel title="Plan">
          {problems.length > 0 ? (
            <p className={styles.notice}>The plan appears once the configuration is valid.</p>
          ) : (
            <Skeleton lines={5} />
          )}
        </Panel>
      ) : (
        <div className={styles.planBody}>
          <Effect plan={plan} isCurrent={isCurrent} />
          <Notes notes={[...plan.notes, ...commandNotes(plan.run_spec.configuration)]} />
          {launch.spec === null ? null : (
            <FleetsPanel project={plan.project_name} spec={launch.spec} />
          )}
          {plan.job_plans.slice(0, MOST_JOBS).map((job) => (
            <Panel
              key={job.job_spec.job_name}
              title={plan.job_plans.length > 1 ? `Offers for ${job.job_spec.job_name}` : 'Offers'}
              count={job.total_offers}
              flush
            >
              <OfferTable offers={job.offers} total={job.total_offers} />
            </Panel>
          ))}
        </div>
      )}
    </div>
  );
}

/** Jobs of one gang have the same offers, those of groups may differ. */
const MOST_JOBS = 4;

function Effect(props: { readonly plan: RunPlan; readonly isCurrent: boolean }) {
  const { plan, isCurrent } = props;
  const effect = planEffect(plan);
  const jobs = plan.job_plans.length;
  const outlook = effect.kind === 'create' || effect.kind === 'replace' ? outlookText(plan) : null;
  const text = [effectText(effect), outlook].filter(Boolean).join(' ');
  const isBlocked = effect.kind === 'blocked' || plan.outlook === 'ends';
  useStatusAnnouncement('Plan', isCurrent ? text : null);
  return (
    <Panel
      title="Plan"
      actions={isCurrent ? null : <span className={styles.updating}>of an earlier text</span>}
    >
      <div className={styles.effect}>
        <p data-kind={isBlocked ? 'blocked' : effect.kind} className={styles.effectText}>
          {isBlocked ? <TriangleAlert size={15} aria-hidden="true" /> : null}
          {text}
        </p>
        <p className={styles.notice}>
          {plural(jobs, 'job')} in project {plan.project_name}
          {priceText(plan)}
        </p>
        {plan.current_resource !== null && effect.kind !== 'create' ? (
          <TextDiff
            label={`Changes of run ${effect.name}`}
            before={configurationText(plan.current_resource.run_spec.configuration)}
            after={configurationText((plan.effective_run_spec ?? plan.run_spec).configuration)}
          />
        ) : null}
      </div>
    </Panel>
  );
}

/** Offers come with the available ones first, each in the order in which they are tried. */
function priceText({ job_plans: jobs, outlook }: RunPlan): string {
  const [first] = jobs;
  const [cheapest] = first?.offers ?? [];
  if (first === undefined || cheapest === undefined) return '. It has no offer now.';
  // Price 0 means free of charge, or that no price was entered.
  const price = cheapest.price === 0 ? '' : ` from ${money(cheapest.price * jobs.length)}/h`;
  return outlook === 'ends' || outlook === 'waits'
    ? `,${price} once one of ${plural(first.total_offers, 'offer')} is available.`
    : `,${price} with the first of ${plural(first.total_offers, 'offer')}.`;
}

function effectText(effect: ReturnType<typeof planEffect>): string {
  switch (effect.kind) {
    case 'create':
      return 'A new run is created.';
    case 'replace':
      return `A new run is created. The ended run ${effect.name} is replaced.`;
    case 'update':
      return `The active run ${effect.name} is changed in place.`;
    case 'blocked':
      return effect.reason;
  }
}

function Notes({ notes }: { readonly notes: readonly string[] }) {
  if (notes.length === 0) return null;
  return (
    <Panel title="Notes">
      <ul className={styles.notes}>
        {notes.map((note) => (
          <li key={note}>
            <Info size={14} aria-hidden="true" />
            <span>{note}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
