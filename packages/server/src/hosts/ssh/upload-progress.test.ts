import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import type { Program } from './program.ts';
import { UploadProgress } from './upload-progress.ts';

const program = (name: string, size: number) =>
  ({ name, size, open: () => Readable.from([Buffer.alloc(size)]) }) as unknown as Program;

it('all programs that a host lacks are counted together', async () => {
  const texts: string[] = [];
  const progress = new UploadProgress((text) => void texts.push(text));
  const [node, agent] = [program('node', 4e6), program('agent', 2.5e6)];
  progress.expect([node, agent]);
  expect(await buffer(progress.counted(node))).toHaveLength(4e6);
  expect(await buffer(progress.counted(agent))).toHaveLength(2.5e6);
  expect(texts[0]).toBe('Installing the agent (0 of 7 MB)');
});

it('a few kilobytes are not counted', async () => {
  const texts: string[] = [];
  const progress = new UploadProgress((text) => void texts.push(text));
  await buffer(progress.counted(program('agent', 1000)));
  expect(texts).toEqual(['Installing the agent']);
});
