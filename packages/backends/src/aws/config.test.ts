import { AWSBackendConfigWithCreds } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { configProblem, DEFAULT_REGIONS, settingsOf } from './config.ts';
import { validTags } from './tags.ts';

const CREDS = { type: 'access_key', access_key: 'k', secret_key: 's' };
const parsed = (more: object = {}) =>
  AWSBackendConfigWithCreds.parse({ type: 'aws', creds: CREDS, ...more });

describe('the configuration of AWS', () => {
  it('has the regions of dstack 0.22.5 unless it names some', () => {
    expect(settingsOf(parsed()).regions).toEqual(DEFAULT_REGIONS);
    const regions = ['EU-West-1', 'eu-west-1', 'us-east-1'];
    expect(settingsOf(parsed({ regions })).regions).toEqual(['eu-west-1', 'us-east-1']);
  });

  it.each([
    [{}, null],
    [{ creds: { type: 'default' } }, null],
    [{ regions: ['Ireland'] }, 'regions: "ireland" is no region of AWS'],
    [{ regions: [] }, 'regions must name a region'],
    [{ vpc_name: 'lab', vpc_ids: { 'eu-west-1': 'vpc-1' } }, 'only one of vpc_name and vpc_ids'],
    [{ default_vpcs: false }, 'default_vpcs: false needs vpc_name or vpc_ids'],
    [{ default_vpcs: false, vpc_name: 'lab' }, null],
    [
      { default_vpcs: false, regions: ['eu-west-1'], vpc_ids: { 'eu-west-2': 'vpc-1' } },
      'vpc_ids names no VPC of eu-west-1',
    ],
    [{ vpc_ids: { 'eu-west-2': 'vpc-1' } }, null],
    [{ tags: { 'aws:own': 'x' } }, 'tags: AWS does not allow "aws:own=x"'],
    [{ tags: { team: 'müsli' } }, 'tags: AWS does not allow "team=müsli"'],
  ])('%j is refused with what is wrong: %s', (more, text) => {
    const problem = configProblem(parsed(more));
    if (text === null) expect(problem).toBeNull();
    else expect(problem).toContain(text);
  });
});

describe('tags of AWS', () => {
  it('have the value of the first that sets them, and never more than AWS allows', () => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`t${at}`, '']));
    const tags = validTags({ Name: 'a' }, { Name: 'b', 'x!': 'no' }, many);
    expect(Object.keys(tags)).toHaveLength(50);
    expect(tags.Name).toBe('a');
    expect(tags['x!']).toBeUndefined();
  });
});
