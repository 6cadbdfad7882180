import fc from 'fast-check';

/**
 * Tests a property with random input for `seconds`, or for `FUZZ_SECONDS`. Prints the seed first,
 * in case an input ends the process or hangs; `FUZZ_SEED` repeats the same input.
 */
export async function fuzz<Ts extends [unknown, ...unknown[]]>(
  name: string,
  property: fc.IAsyncProperty<Ts>,
  seconds = 1,
): Promise<void> {
  const seed = Number(process.env.FUZZ_SEED) || Math.trunc(Math.random() * 2 ** 31);
  const limit = Number(process.env.FUZZ_SECONDS) || seconds;
  console.log(`fuzz: ${name}: FUZZ_SEED=${seed}`);
  await fc.assert(property, {
    seed,
    numRuns: 1_000_000,
    interruptAfterTimeLimit: limit * 1000,
    markInterruptAsFailure: false,
  });
}
