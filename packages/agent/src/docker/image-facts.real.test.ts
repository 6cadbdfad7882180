import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dockerMissing, startDocker, type TestDocker } from '@dstack/testkit/docker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageFactsReader } from './image-facts.ts';

const IMAGE = 'busybox:facts';
const LABELS = { 'ai.dstack.agent-id': 'this-agent' };

describe.skipIf(dockerMissing() !== null)('the content of an image', () => {
  let engine: TestDocker;
  let dir: string;
  beforeAll(async () => {
    engine = await startDocker();
    await engine.busybox(IMAGE);
    dir = mkdtempSync(join(tmpdir(), 'facts-'));
  });
  afterAll(() => {
    engine?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is read from a container that carries the labels of its agent', async () => {
    const events = await engine.docker.getEvents({
      filters: { event: ['create', 'destroy'], label: ['ai.dstack.agent-id=this-agent'] },
    });
    const seen: string[] = [];
    const destroyed = new Promise<void>((resolve) => {
      events.on('data', (chunk) => {
        for (const line of String(chunk).trim().split('\n')) seen.push(JSON.parse(line).Action);
        if (seen.includes('destroy')) resolve();
      });
    });
    const facts = await new ImageFactsReader(engine.docker, dir, LABELS).read(IMAGE);
    expect(facts.passwd).toContain('root:');
    await destroyed;
    (events as NodeJS.ReadableStream & { destroy(): void }).destroy();
    expect(seen).toEqual(['create', 'destroy']);
  });
});
