import type { FleetPlan, FleetSpec } from '@dstack/contract/wire';
import { useQueryClient } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { fleetKeys } from '../../data/fleets/fleet-queries.ts';
import { useClient } from '../../data/session/session-context.tsx';
import {
  readConfiguration,
  sendConfiguration,
} from '../../domain/configuration/read-configuration.ts';
import {
  type CloudFleetForm,
  cloudFleetConfiguration,
  type SshFleetForm,
  sshFleetConfiguration,
} from '../../domain/fleets/fleet-form.ts';
import { keyPairOf } from '../../domain/fleets/private-key.ts';
import { toYaml } from '../../domain/format/yaml.ts';
import { ProjectField } from '../../domain/projects/project-field.tsx';
import { Button, buttonClass } from '../../ui/button/button.tsx';
import { CodeArea, Field } from '../../ui/field/field.tsx';
import { Segments } from '../../ui/field/segments.tsx';
import { Form } from '../../ui/form/form.tsx';
import { useSubmit } from '../../ui/form/use-submit.ts';
import { Stack } from '../../ui/panel/columns.tsx';
import { PageFrame } from '../../ui/panel/page.tsx';
import { usePageTitle } from '../../ui/panel/page-title.ts';
import { Panel } from '../../ui/panel/panel.tsx';
import { toast } from '../../ui/toast/toaster.tsx';
import { CloudFleetFields, SshFleetFields } from './fleet-forms.tsx';
import { FleetPlanPanel, isPossible } from './fleet-plan-panel.tsx';

const route = getRouteApi('/shell/projects/$project/fleets/add');

type Way = 'ssh' | 'cloud' | 'yaml';

const SSH: SshFleetForm = { name: '', hosts: '', user: '', network: '', blocks: '' };
const CLOUD: CloudFleetForm = {
  ...{ name: '', min: '0', max: '2', gpu: '', backends: '', idleDuration: '', maxPrice: '' },
  spotPolicy: 'on-demand',
};

/** Creates a fleet by form or as YAML; the plan is shown before anything is created. */
export function AddFleetPage() {
  usePageTitle('New fleet');
  const { project } = route.useParams();
  const fleets = useClient().project(project).fleets;
  const cache = useQueryClient();
  const navigate = useNavigate();
  const [way, setWay] = useState<Way>('ssh');
  const [ssh, setSsh] = useState(SSH);
  const [cloud, setCloud] = useState(CLOUD);
  const [yaml, setYaml] = useState('');
  const [key, setKey] = useState('');
  const [plan, setPlan] = useState<FleetPlan | null>(null);
  const planning = useSubmit();
  const applying = useSubmit();
  const written = () =>
    way === 'ssh' ? sshFleetConfiguration(ssh) : cloudFleetConfiguration(cloud);
  const edit = <T,>(set: (value: T) => void) => {
    return (value: T) => {
      setPlan(null);
      set(value);
    };
  };
  const choose = (next: Way) => {
    if (next === 'yaml' && way !== 'yaml') setYaml(toYaml(written()));
    setPlan(null);
    setWay(next);
  };
  const move = (to: string) => {
    setPlan(null);
    void navigate({
      to: '/projects/$project/fleets/add',
      params: { project: to },
      replace: true,
    });
  };
  const showPlan = () =>
    void planning.submit(async () => {
      const ask = async (read: object) => {
        const configuration = withKey(read, key);
        const spec = { configuration, configuration_path: null, profile: { name: 'default' } };
        return await fleets.getPlan(spec as unknown as FleetSpec);
      };
      // The fields of a form have their errors beside them; a text has them by lines.
      const isText = way === 'yaml';
      setPlan(
        isText
          ? await sendConfiguration(yaml, 'fleet', ask)
          : await ask(await readConfiguration(toYaml(written()), 'fleet')),
      );
    });
  const apply = () =>
    void applying.submit(async () => {
      if (plan === null) return;
      const { spec, current_resource } = plan;
      const fleet = await fleets.apply({ spec, current_resource });
      toast.done(`Fleet ${fleet.name} was ${current_resource === null ? 'created' : 'changed'}`);
      await cache.invalidateQueries({ queryKey: fleetKeys.all });
      await navigate({
        to: '/projects/$project/fleets/$fleet',
        params: { project, fleet: fleet.name },
      });
    });
  return (
    <PageFrame
      title="New fleet"
      subtitle={
        <>
          in project <bdi>{project}</bdi>
        </>
      }
    >
      <Stack narrow>
        <Panel>
          <Form
            label="New fleet"
            onSubmit={showPlan}
            error={planning.error}
            actions={
              <>
                <Link to="/fleets" className={buttonClass({})}>
                  Cancel
                </Link>
                <Button
                  type="submit"
                  variant={plan === null ? 'primary' : 'secondary'}
                  busy={planning.busy}
                >
                  Show the plan
                </Button>
              </>
            }
          >
            <ProjectField value={project} onChange={move} />
            <Segments
              label="Kind of fleet"
              value={way}
              options={[
                ['ssh', 'SSH hosts'],
                ['cloud', 'Cloud instances'],
                ['yaml', 'YAML'],
              ]}
              onChange={choose}
            />
            {way === 'ssh' ? (
              <SshFleetFields value={ssh} onChange={edit(setSsh)} errorOf={planning.errorOf} />
            ) : null}
            {way === 'cloud' ? (
              <CloudFleetFields
                value={cloud}
                onChange={edit(setCloud)}
                errorOf={planning.errorOf}
              />
            ) : null}
            {way === 'yaml' ? (
              <Field label="Configuration" error={planning.error}>
                {(control) => (
                  <CodeArea
                    {...control}
                    rows={14}
                    value={yaml}
                    onChange={(event) => edit(setYaml)(event.target.value)}
                  />
                )}
              </Field>
            ) : null}
            {way === 'cloud' ? null : (
              <KeyField
                value={key}
                onChange={edit(setKey)}
                error={planning.errorOf('ssh_key', 'private', 'identity_file')}
              />
            )}
          </Form>
        </Panel>
        {plan === null ? null : (
          <FleetPlanPanel
            plan={plan}
            actions={
              isPossible(plan) ? (
                <Button variant="primary" size="sm" busy={applying.busy} onClick={apply}>
                  {plan.current_resource === null ? 'Create the fleet' : 'Change the fleet'}
                </Button>
              ) : null
            }
          />
        )}
        {applying.error === null ? null : <p role="alert">{applying.error}</p>}
      </Stack>
    </PageFrame>
  );
}

/** The key is sent with the plan, stored encrypted, and never returned. */
function KeyField(props: {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly error: string | null;
}) {
  return (
    <Field
      label="Private SSH key of the login user"
      error={props.error}
      hint="In the format of OpenSSH, without a passphrase. It is stored encrypted and never shown again."
    >
      {(control) => (
        <CodeArea
          {...control}
          rows={4}
          autoComplete="off"
          placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
          value={props.value}
          onChange={(event) => props.onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

function withKey<T extends { readonly ssh_config?: unknown }>(configuration: T, key: string): T {
  const { ssh_config } = configuration;
  if (ssh_config == null || key.trim() === '') return configuration;
  return { ...configuration, ssh_config: { ...ssh_config, ssh_key: keyPairOf(key) } };
}
