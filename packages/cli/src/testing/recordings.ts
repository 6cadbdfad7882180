import { readFile } from 'node:fs/promises';

/** A call of the official client and the official server's answer. */
export interface RecordedCall {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly request: unknown;
  readonly response: unknown;
}

/** Recorded traffic of dstack 0.22.5. */
export async function recording(name: string): Promise<RecordedCall[]> {
  const url = new URL(`../../testdata/${name}.json`, import.meta.url);
  return JSON.parse(await readFile(url, 'utf8')) as RecordedCall[];
}

/** The answer to the first call of that path. */
export async function recordedAnswer<T>(name: string, path: string): Promise<T> {
  const call = (await recording(name)).find((c) => c.path === path);
  if (call === undefined) throw new Error(`${name} has no call of ${path}`);
  return call.response as T;
}
