import fc from 'fast-check';

/** Seconds that each property is tried for, unless `FUZZ_SECONDS` says otherwise. */
const SECONDS = 2;

/**
 * Tries a property with random input until its time is over. The seed is printed before, for input
 * that ends the process or hangs; `FUZZ_SEED` tries the same input again.
 */
export async function fuzz<Ts extends [unknown, ...unknown[]]>(
  name: string,
  property: fc.IAsyncProperty<Ts>,
): Promise<void> {
  const seed = Number(process.env.FUZZ_SEED) || Math.trunc(Math.random() * 2 ** 31);
  const seconds = Number(process.env.FUZZ_SECONDS) || SECONDS;
  console.log(`fuzz: ${name}: FUZZ_SEED=${seed}`);
  await fc.assert(property, {
    seed,
    numRuns: 1_000_000,
    interruptAfterTimeLimit: seconds * 1000,
    markInterruptAsFailure: false,
  });
}
