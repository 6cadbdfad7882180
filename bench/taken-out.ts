/**
 * Takes mends out of a copy of the sources, one after the other, and runs stories of the simulation until one breaks
 * an invariant. `taken-out:5` runs at most so many for each. A mend without which no story breaks makes it fail.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { TAKEN_OUT, type TakenOut } from '../packages/server/src/testing/simulation/taken-out.ts';
import { print } from './measure.ts';

const root = resolve(import.meta.dirname, '..');
const STORIES = '10';

/** `argument`: the number of stories, and a part of the name of a mend (`5,lease`). */
export async function takenOut(argument = STORIES): Promise<void> {
  const [stories = STORIES, part = ''] = argument.split(',');
  const chosen = TAKEN_OUT.filter(({ name }) => name.includes(part));
  const missed: string[] = [];
  for (const mend of chosen) {
    const dir = await mkdtemp(join(tmpdir(), 'bench-taken-out-'));
    try {
      await copySources(dir);
      if (!(await isMissed(dir, mend, Number(stories)))) missed.push(mend.name);
    } finally {
      await rm(dir, { recursive: true });
    }
  }
  if (missed.length > 0) throw new Error(`no story broke without: ${missed.join('; ')}`);
}

/** The packages with links to each other, and to all other modules of this clone. */
async function copySources(dir: string): Promise<void> {
  const modules = join(dir, 'node_modules');
  await mkdir(join(modules, '@dstack'), { recursive: true });
  await writeFile(join(dir, 'package.json'), await readFile(join(root, 'package.json')));
  const isSource = (path: string) => !/\/(node_modules|dist)(\/|$)/.test(path.slice(root.length));
  await cp(join(root, 'packages'), join(dir, 'packages'), { recursive: true, filter: isSource });
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (name === '@dstack') continue;
    await symlink(join(root, 'node_modules', name), join(modules, name));
  }
  for (const name of await readdir(join(root, 'node_modules', '@dstack'))) {
    await symlink(join(dir, 'packages', name), join(modules, '@dstack', name));
  }
}

/** Whether a story breaks without it. */
async function isMissed(dir: string, mend: TakenOut, stories: number): Promise<boolean> {
  const { name, file, text, instead, story } = mend;
  const path = join(dir, file);
  const source = await readFile(path, 'utf8');
  if (source.split(text).length !== 2) throw new Error(`${file} has not once: ${text}`);
  await writeFile(
    path,
    source.replace(text, () => instead),
  );
  const teller = join(dir, 'story.ts');
  const simulation = join(dir, 'packages', 'server', 'src', 'testing', 'simulation');
  await writeFile(
    teller,
    `import { simulate } from ${JSON.stringify(join(simulation, 'simulation.ts'))};
     const result = simulate({ ...${JSON.stringify(story)}, seed: Number(process.argv[2]) });
     console.log(await result.then(() => '', String));
     process.exit(0);`,
  );
  for (let seed = 1; seed <= stories; seed++) {
    const { stdout } = await promisify(execFile)(process.execPath, [teller, String(seed)]);
    const breach = stdout.trim();
    if (breach === '') continue;
    print({ name: `taken out: ${name}`, unit: 'stories', value: seed, breach });
    return true;
  }
  return false;
}
