/* fast-check prints its seed with every failure; CONCORD_SEED repeats a run with it. */
const seed = process.env.CONCORD_SEED;
if (seed) {
  const { default: fc } = await import('fast-check');
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) });
}
