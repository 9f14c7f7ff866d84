/**
 * fast-check with one seed, so that every run of the tests tries the same cases; `FC_SEED=7 FC_RUNS=1000 npx vitest run` tries
 * others, and more of them (100 without it).
 */
import fc from "fast-check";

const { FC_SEED = "1", FC_RUNS } = process.env;
fc.configureGlobal({ seed: Number(FC_SEED), ...(FC_RUNS && { numRuns: Number(FC_RUNS) }) });

export default fc;
