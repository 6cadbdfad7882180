import { RunSpec } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { prepareRunSpec, sameRunSpec } from '../run-spec/index.ts';
import { buildJobSpecs } from './build.ts';
import { DRY_RUN_NAME } from './index.ts';
import plans from './testdata/plans.json' with { type: 'json' };

/** Plans of an official 0.22.5 server: what was sent, the effective spec and the job specs. */
const IMAGE = { entrypoint: [], cmd: ['/bin/sh'], user: null, architectures: ['x86' as const] };

describe('plans recorded from dstack 0.22.5', () => {
  it.each(plans)('have the same effective spec and job specs: $name', (plan) => {
    const prepared = prepareRunSpec(RunSpec.parse(plan.sent), {
      userPublicKey: plan.effective.ssh_key_pub,
    });
    if (!prepared.ok) throw new Error(prepared.message);
    expect(prepared.spec).toEqual(RunSpec.parse(plan.effective));
    const built = buildJobSpecs(prepared.spec, {
      runName: prepared.spec.run_name ?? DRY_RUN_NAME,
      replicaNum: 0,
      replicaGroup: '0',
      imageConfig: IMAGE,
    });
    if (!built.ok) throw new Error(built.message);
    const dev = prepared.spec.configuration.type === 'dev-environment';
    // The hints of a development environment have their own wording.
    const comparable = (specs: readonly { commands: unknown }[]) =>
      specs.map((spec) => (dev ? { ...spec, commands: null } : spec));
    expect(comparable(built.jobSpecs)).toEqual(comparable(plan.job_specs));
  });

  it('are equal to the copy that a client sends back', () => {
    for (const { effective } of plans) {
      const stored = RunSpec.parse(effective);
      const echoed = JSON.parse(JSON.stringify(effective), (_key, value) => value ?? undefined);
      expect(sameRunSpec(stored, RunSpec.parse(echoed))).toBe(true);
    }
  });
});
