import { capabilitiesOf } from '@dstack/core';
import { describe, expect, it } from 'vitest';
import { BACKEND_KINDS, backendKind } from './kinds.ts';

const configured = (type: string, env: Record<string, string | undefined>) =>
  backendKind(type)?.configure(env, { url: 'https://dstack.example' });

describe('the kinds of backends', () => {
  it('have one type each, whose machines are created at a provider', () => {
    const types = BACKEND_KINDS.map(({ type }) => type);
    expect(new Set(types).size).toBe(types.length);
    for (const type of types) expect(capabilitiesOf(type).owner).toBe('provider');
    expect(backendKind('aws-of-tomorrow')).toBeNull();
  });

  it('are configured without a variable', () => {
    for (const { type } of BACKEND_KINDS) expect(configured(type, {})).toMatchObject({ type });
  });

  it('read no variables but those that they name', () => {
    for (const kind of BACKEND_KINDS) {
      const read = new Set<string>();
      const env = new Proxy({} as Record<string, undefined>, {
        get: (_, name) => void read.add(String(name)),
      });
      kind.configure(env, { url: 'https://dstack.example' });
      expect([...read].filter((name) => !kind.variables.includes(name))).toEqual([]);
    }
  });

  it('mount the image of the agent only if there is one', () => {
    const env = { DSTACK_KUBERNETES_AGENT_VOLUME: '1' };
    expect(() => configured('kubernetes', env)).toThrow(
      'DSTACK_KUBERNETES_AGENT_IMAGE must name the image',
    );
    configured('kubernetes', { ...env, DSTACK_KUBERNETES_AGENT_IMAGE: 'agent:1' });
  });

  it('have containers whose agents connect to the server only where they reach it', async () => {
    const reached = await configured('runpod', {})?.dialIn?.();
    expect(reached?.('dstack-0123456789abcdef0123')).toBe(true);
    expect(reached?.('dstack-main-train-0-0123456789ab.0')).toBe(false);
    const runpod = backendKind('runpod');
    expect(runpod?.configure({}, { url: null }).dialIn).toBeUndefined();
    expect(runpod?.configure({}, { url: 'http://localhost:3000' }).dialIn).toBeUndefined();
    const env = { DSTACK_BACKEND_RUNPOD_ENDPOINT: 'http://127.0.0.1:1' };
    expect(runpod?.configure(env, { url: 'http://127.0.0.1:3000' }).dialIn).toBeDefined();
  });

  it('have agents that connect to the server only where its URL is known', () => {
    const env = { DSTACK_SLURM_DIAL_OUT: '1' };
    expect(configured('slurm', env)?.dialIn).toBeDefined();
    expect(configured('slurm', {})?.dialIn).toBeUndefined();
    expect(() => backendKind('slurm')?.configure(env, { url: null })).toThrow(
      'DSTACK_SLURM_DIAL_OUT is set without DSTACK_SERVER_URL',
    );
  });
});
