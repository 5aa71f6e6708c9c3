/** Projects are the test categories: `npm test -- --category NAME` runs one of them. */
const shared = {
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironment: 'node',
  // The clean-up recurses without end at the exit of a process that has signal-exit loaded.
  testEnvironmentOptions: { globalsCleanup: 'off' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, sourceMaps: 'inline' },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/.rehearsal', '<rootDir>/images/app/dist'],
};

const project = (displayName, options = {}) => ({
  ...shared,
  displayName,
  testMatch: [`<rootDir>/test/${displayName}/**/*.test.ts`],
  ...options,
});

export default {
  /** For what hangs: a machine that is busy with something else fails no test. */
  testTimeout: 60_000,
  /** Of `test.concurrent`: a critical suite keeps a core busy. */
  maxConcurrency: 2,
  projects: [
    project('components'),
    project('engine'),
    project('runners'),
    project('integration'),
    project('faults'),
    project('critical'),
  ],
};
