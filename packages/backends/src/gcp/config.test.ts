import { GCPBackendConfigWithCreds } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { configProblem, DEFAULT_REGIONS, type GcpConfig, settingsOf } from './config.ts';
import { labelsOf, tagsIn } from './labels.ts';

const config = (more: object = {}): GcpConfig =>
  GCPBackendConfigWithCreds.parse({
    ...{ type: 'gcp', project_id: 'demo-project', creds: { type: 'default' } },
    ...more,
  });

describe('a configuration of GCP', () => {
  it('has the regions of dstack 0.22.5 unless it names some, in any case', () => {
    expect(settingsOf(config()).regions).toBe(DEFAULT_REGIONS);
    expect(settingsOf(config({ regions: ['US-West4', 'us-west4'] })).regions).toEqual(['us-west4']);
  });

  it('may have every key of dstack 0.22.5', () => {
    const all = config({
      ...{ regions: ['us-central1'], vpc_name: 'ml', extra_vpcs: ['ml-1'], roce_vpcs: ['roce'] },
      ...{ vpc_project_id: 'example.com:host', public_ips: false, nat_check: false, tpu: true },
      ...{ subnetworks: { 'us-central1': 'ml-a' }, preview_features: ['g4'] },
      ...{ vm_service_account: 'jobs@demo-project.iam.gserviceaccount.com', tags: { team: 'ml' } },
    });
    expect(configProblem(all)).toBeNull();
    expect(settingsOf(all)).toMatchObject({ previews: ['gcp-g4'], showsTpus: true });
  });

  it.each([
    [{ regions: [] }, 'regions must name a region, or be left out'],
    [{ regions: ['us-central1-a'] }, 'regions: "us-central1-a" is no region of GCP'],
    [{ project_id: 'a/../b' }, 'project_id: "a/../b" is no id of a project'],
    [{ vpc_name: 'A' }, 'vpc_name: "A" is no name in GCP'],
    [{ vm_service_account: 'jobs' }, 'vm_service_account must be the email of one'],
    [{ tags: { Team: 'ml' } }, 'tags: GCP does not allow "Team=ml" as a label'],
  ])('with %j is refused, with the key', (wrong, problem) => {
    expect(configProblem(config(wrong))).toBe(problem);
  });
});

describe('labels', () => {
  it('keep tags of any text and length', () => {
    const tags = {
      'dstack-key': 'instance.create:4a3f1c52-97b1-4b7e-9a2f-0123456789ab:0',
      'dstack-project': 'Zwölf_Äpfel'.repeat(6),
      'dstack-fleet': '',
    };
    const labels = labelsOf(tags);
    for (const [key, value] of Object.entries(labels)) {
      expect(key).toMatch(/^[a-z][a-z0-9_-]{0,62}$/);
      expect(value).toMatch(/^[a-z0-9_-]{0,63}$/);
    }
    expect(Object.keys(labels)).toContain('dstack-project_1');
    expect(tagsIn(labels)).toEqual(tags);
  });

  it('of users are left out where GCP would refuse them, and never replace ours', () => {
    const own = { 'dstack-key': 'a' };
    const labels = labelsOf(own, { team: 'ml' }, { team: 'x', Upper: 'a', 'dstack-key': 'b' });
    expect(labels).toEqual({ 'dstack-key': 'a', team: 'ml' });
  });
});
