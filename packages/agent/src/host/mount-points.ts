import { readFileSync } from 'node:fs';

/** The mount points that this process sees; none if the system does not list them. */
export function mountPoints(): readonly string[] {
  try {
    return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch {
    // Without /proc, jobs cannot mount anything.
    return [];
  }
}

/** The fifth field of each line; blanks and backslashes are written as three octal digits there. */
export function parseMountInfo(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const point = line.split(' ')[4];
    if (point === undefined) return [];
    return [point.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)))];
  });
}

/** The first of `points` that is `folder` or is inside it. */
export function mountWithin(folder: string, points: readonly string[]): string | undefined {
  return points.find((point) => point === folder || point.startsWith(`${folder}/`));
}
