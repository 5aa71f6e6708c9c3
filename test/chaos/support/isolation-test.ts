/** Name of the test that a suite gets in `isolated-suite.ts`. */
export const isolationTest = "the environment holds nobody else's data, and shares nothing";
