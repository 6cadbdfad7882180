import { describe, expect, it } from 'vitest';
import { parsePartitionQos } from './partition-qos.ts';

const line = (name: string, qos: string) =>
  `PartitionName=${name} AllowGroups=ALL AllowAccounts=ALL ${qos} AllocNodes=ALL Default=NO QoS=N/A DefaultTime=NONE`;

describe('the QOS that partitions take', () => {
  it('are those of their lists, in lower case; partitions without a list take all', () => {
    const output = [
      'Welcome to the cluster',
      line('cpu', 'AllowQos=ALL'),
      line('gpu', 'AllowQos=High,brief'),
      line('low', 'DenyQos=brief'),
      '',
    ].join('\n');
    expect([...parsePartitionQos(output)]).toEqual([
      ['gpu', { allowed: ['high', 'brief'] }],
      ['low', { denied: ['brief'] }],
    ]);
  });

  it('are unknown without output', () => {
    expect(parsePartitionQos('').size).toBe(0);
  });
});
