import { describe, expect, it } from 'vitest';
import { isMoving, registryOf, withTag } from './image-name.ts';
import { PullTracker } from './pull-tracker.ts';

describe('progress of a pull', () => {
  it('sums up layers, and reports when the total is certain', () => {
    const tracker = new PullTracker();
    tracker.add({ status: 'Pulling from library/x', id: 'latest' });
    tracker.add({ status: 'Pulling fs layer', id: 'a' });
    tracker.add({ status: 'Pulling fs layer', id: 'b' });
    tracker.add({ status: 'Already exists', id: 'c' });
    tracker.add({ status: 'Downloading', id: 'a', progressDetail: { current: 10, total: 100 } });
    expect(tracker.progress).toEqual({
      downloaded_bytes: 10,
      extracted_bytes: 0,
      total_bytes: 100,
      is_total_bytes_final: false,
    });
    tracker.add({ status: 'Downloading', id: 'b', progressDetail: { current: 50, total: 50 } });
    tracker.add({ status: 'Download complete', id: 'a' });
    tracker.add({ status: 'Extracting', id: 'a', progressDetail: { current: 30, total: 100 } });
    expect(tracker.progress).toMatchObject({
      downloaded_bytes: 150,
      extracted_bytes: 30,
      total_bytes: 150,
      is_total_bytes_final: true,
    });
    tracker.add({ status: 'Pull complete', id: 'a' });
    tracker.add({ status: 'Pull complete', id: 'b' });
    tracker.add({ status: 'Status: Downloaded newer image for x' });
    expect(tracker.progress.extracted_bytes).toBe(150);
    expect(tracker.done).toBe(true);
  });

  it("fails with the Engine's message", () => {
    expect(() => new PullTracker().add({ error: 'manifest unknown' })).toThrow('manifest unknown');
  });
});

describe('image names', () => {
  it.each([
    ['alpine', 'alpine:latest'],
    ['alpine:3', 'alpine:3'],
    ['host:5000/img', 'host:5000/img:latest'],
    ['host:5000/img:1', 'host:5000/img:1'],
    ['img@sha256:abc', 'img@sha256:abc'],
  ])('completes %s to %s', (name, full) => expect(withTag(name)).toBe(full));

  it('recognises references that move', () => {
    expect(isMoving('alpine:latest')).toBe(true);
    expect(isMoving('alpine:latest-gpu')).toBe(false);
    expect(isMoving('alpine@sha256:abc')).toBe(false);
  });

  it.each([
    ['alpine:3', 'https://index.docker.io/v1/'],
    ['team/img', 'https://index.docker.io/v1/'],
    ['ghcr.io/team/img', 'ghcr.io'],
    ['localhost/img', 'localhost'],
    ['host:5000/img', 'host:5000'],
  ])('finds the registry of %s', (name, registry) => expect(registryOf(name)).toBe(registry));
});
