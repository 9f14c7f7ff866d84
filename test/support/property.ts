/**
 * fast-check with one seed, so that every test run tries the same cases; `FC_SEED=7 FC_RUNS=1000 npx vitest run` tries different and more cases (100
 * by default).
 */
import fc from "fast-check";

const { FC_SEED = "1", FC_RUNS } = process.env;
fc.configureGlobal({ seed: Number(FC_SEED), ...(FC_RUNS && { numRuns: Number(FC_RUNS) }) });

export default fc;
