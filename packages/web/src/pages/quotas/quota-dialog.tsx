import type { Project, Quota } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { quotaKeys } from '../../data/quotas/quota-queries.ts';
import { useClient, useUser } from '../../data/session/session-context.tsx';
import {
  AMOUNTS,
  NO_TERMS,
  type QuotaAmount,
  requestedTerms,
  type TermTexts,
  termTexts,
} from '../../domain/quotas/quota-form.ts';
import { type QuotaRight, quotaRight } from '../../domain/quotas/quota-rights.ts';
import { quotaSubject } from '../../domain/quotas/quota-rows.ts';
import { TextField } from '../../ui/field/field.tsx';
import { FormRow } from '../../ui/form/form.tsx';
import { FormDialog } from '../../ui/form/form-dialog.tsx';
import { SelectField } from '../../ui/form/select-field.tsx';
import { type FormSubmission, useSubmit } from '../../ui/form/use-submit.ts';
import { toast } from '../../ui/toast/toaster.tsx';
import styles from './quotas.module.css';

interface QuotaDialogProps {
  /** Null: a new one. */
  readonly existing: Quota | null;
  /** The project of a new quota, until the reader chooses another. */
  readonly project: string;
  readonly projects: readonly Project[];
  readonly onClose: () => void;
}

/** Sets a quota: whose it is, and its terms. */
export function QuotaDialog({ existing, project, projects, onClose }: QuotaDialogProps) {
  const client = useClient();
  const cache = useQueryClient();
  const submission = useSubmit();
  const user = useUser();
  const [place, setPlace] = useState({
    project: existing?.project_name ?? project,
    fleet: existing?.fleet_name ?? '',
    user: existing?.user_name ?? '',
  });
  const [limit, setLimit] = useState(termTexts(existing?.limit ?? null));
  const [guaranteed, setGuaranteed] = useState(termTexts(existing?.guaranteed ?? null));
  const [weight, setWeight] = useState(String(existing?.weight ?? ''));
  const named = {
    project_name: place.project.trim(),
    fleet_name: place.fleet.trim() || null,
    user_name: place.user.trim() || null,
  };
  const right = quotaRight(named, projects, user);
  const save = async () => {
    const terms = {
      limit: requestedTerms(limit),
      // If the reader may only limit a quota, its other terms do not change.
      guaranteed: requestedTerms({ ...guaranteed, runs: '' }),
      weight: weight.trim() === '' ? null : Number(weight) || weight,
    };
    const done = await submission.submit(async () => {
      await client.quotas.apply([{ ...named, ...terms } as never]);
      await cache.invalidateQueries({ queryKey: quotaKeys.all });
      toast.done(`The quota of ${quotaSubject(named)} was set`);
    });
    if (done) onClose();
  };
  return (
    <FormDialog
      open
      wide
      onClose={onClose}
      title={existing === null ? 'New quota' : `Quota of ${quotaSubject(existing)}`}
      description={
        existing === null
          ? 'It limits what the runs of a project, or of its users, use at one time.'
          : 'Lowering a limit ends nothing: what runs goes on, and nothing new starts until there is room.'
      }
      action="Save"
      submission={submission}
      onSubmit={() => void save()}
    >
      {existing === null ? (
        <PlaceFields
          projects={projects}
          place={place}
          onChange={setPlace}
          submission={submission}
        />
      ) : null}
      <Terms
        title="Limit"
        hint="The most that may be used at one time. Empty: not limited."
        part="limit"
        names={place.fleet.trim() === '' ? [...AMOUNTS, 'runs'] : AMOUNTS}
        texts={limit}
        onChange={setLimit}
        submission={submission}
      />
      <Grants
        right={existing === null && right === 'none' ? 'terms' : right}
        isOfUser={named.user_name !== null}
        isOnFleet={named.fleet_name !== null}
      >
        {(part) =>
          part === 'guaranteed' ? (
            <Terms
              title="Guaranteed"
              hint="What the project can have at any time; others use it until then."
              part="guaranteed"
              names={AMOUNTS}
              texts={guaranteed}
              onChange={setGuaranteed}
              submission={submission}
            />
          ) : (
            <TextField
              label="Weight"
              optional
              hint="Of two projects that borrow, the one with more beyond its guarantee for its weight gives back first."
              value={weight}
              onChange={setWeight}
              error={submission.errorOf('weight')}
              input={{ inputMode: 'numeric', placeholder: '1' }}
            />
          )
        }
      </Grants>
    </FormDialog>
  );
}

/** The terms beside the limit that the reader may set of this quota. */
function Grants(props: {
  readonly right: QuotaRight;
  readonly isOfUser: boolean;
  readonly isOnFleet: boolean;
  readonly children: (part: 'guaranteed' | 'weight') => React.ReactNode;
}) {
  const { right, isOfUser, isOnFleet, children } = props;
  return (
    <>
      {right === 'all' && !isOfUser ? children('guaranteed') : null}
      {(right === 'all' || right === 'terms') && !isOnFleet ? children('weight') : null}
    </>
  );
}

interface Place {
  readonly project: string;
  readonly fleet: string;
  readonly user: string;
}

function PlaceFields(props: {
  readonly projects: readonly Project[];
  readonly place: Place;
  readonly onChange: (place: Place) => void;
  readonly submission: FormSubmission;
}) {
  const { projects, place, onChange, submission } = props;
  const names = projects.map(({ project_name }) => project_name);
  const isListed = names.includes(place.project);
  const [isOther, setOther] = useState(false);
  const field = (part: keyof Place) => ({
    value: place[part],
    onChange: (text: string) => onChange({ ...place, [part]: text }),
  });
  return (
    <FormRow>
      {isOther || !isListed ? (
        <TextField
          label="Project"
          {...field('project')}
          hint="Of another project, on a fleet that you share with it."
          error={submission.errorOf('project_name')}
        />
      ) : (
        <SelectField
          label="Project"
          value={place.project}
          options={[
            ...names.map((name) => ({ value: name, label: name })),
            { value: OTHER, label: 'Another project' },
          ]}
          onChange={(name) => {
            setOther(name === OTHER);
            onChange({ ...place, project: name === OTHER ? '' : name });
          }}
          error={submission.errorOf('project_name')}
        />
      )}
      <TextField
        label="User"
        optional
        {...field('user')}
        hint="* is each user by himself."
        error={submission.errorOf('user_name')}
        input={{ placeholder: 'all together' }}
      />
      <TextField
        label="Fleet"
        optional
        {...field('fleet')}
        hint="project/fleet for one of another project."
        error={submission.errorOf('fleet_name')}
        input={{ placeholder: 'all fleets' }}
      />
    </FormRow>
  );
}

/** No project has such a name. */
const OTHER = '*';

const LABELS: Readonly<Record<QuotaAmount | 'runs', string>> = {
  gpu: 'GPUs',
  cpu: 'CPUs',
  memory: 'Memory',
  instances: 'Instances',
  cost: 'Dollars per hour',
  runs: 'Waiting runs',
};
const EXAMPLES: Readonly<Record<QuotaAmount | 'runs', string>> = {
  ...NO_TERMS,
  gpu: '16, or H100: 8',
  memory: '512GB',
};

function Terms(props: {
  readonly title: string;
  readonly hint: string;
  readonly part: 'limit' | 'guaranteed';
  readonly names: readonly (QuotaAmount | 'runs')[];
  readonly texts: TermTexts;
  readonly onChange: (texts: TermTexts) => void;
  readonly submission: FormSubmission;
}) {
  const { title, hint, part, names, texts, onChange, submission } = props;
  const whole = submission.errorAt(part);
  return (
    <fieldset className={styles.terms}>
      <legend className={styles.legend}>{title}</legend>
      <p className={styles.hint}>{hint}</p>
      <FormRow>
        {names.map((name, index) => (
          <TextField
            key={name}
            label={LABELS[name]}
            value={texts[name]}
            onChange={(text) => onChange({ ...texts, [name]: text })}
            error={
              submission.errorAt(part, name) ??
              // A rule about all of them stands at the first.
              (index === 0 ? whole : null)
            }
            input={{ placeholder: EXAMPLES[name], 'aria-label': `${title}: ${LABELS[name]}` }}
          />
        ))}
      </FormRow>
    </fieldset>
  );
}
