import { ValidationError } from '@dstack/client';
import { expect, it } from 'vitest';
import {
  ConfigurationTextError,
  readConfiguration,
  sendConfiguration,
} from './read-configuration.ts';

const TEXT = 'type: fleet\nname: pool\nnodes: many\n';

it('reads a configuration of one type', async () => {
  const configuration = await readConfiguration(TEXT, 'fleet');
  expect(configuration).toEqual({ type: 'fleet', name: 'pool', nodes: 'many' });
  await expect(readConfiguration(TEXT, 'volume')).rejects.toThrow('This is a fleet, not a volume');
  await expect(readConfiguration('name: x', 'fleet')).rejects.toThrow('type: fleet is missing');
});

it('reports at its line what the server refuses about a configuration', async () => {
  const loc = ['body', 'spec', 'configuration', 'nodes'];
  const body = { detail: [{ msg: 'not a range', loc }] };
  const answer = { request: '', status: 422, code: null, fields: [], body, requestId: null };
  const refusal = new ValidationError('refused', answer);
  const sent = sendConfiguration(TEXT, 'fleet', () => Promise.reject(refusal));
  await expect(sent).rejects.toThrow(new ConfigurationTextError('Line 3: nodes: not a range'));
  const lost = new Error('no connection');
  const unsent = sendConfiguration(TEXT, 'fleet', () => Promise.reject(lost));
  await expect(unsent).rejects.toBe(lost);
});
