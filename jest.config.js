/* Times in tests are the same on every machine; workers inherit it. */
process.env.TZ = 'UTC';

const shared = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/\\.concord'],
  testPathIgnorePatterns: ['/node_modules/'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        jsc: {
          target: 'es2022',
          keepClassNames: true,
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  setupFiles: ['<rootDir>/test/harness/fast-check-seed.mjs'],
  setupFilesAfterEnv: ['<rootDir>/test/harness/patience.mjs'],
};

const teardown = '<rootDir>/test/harness/teardown.mjs';

/* The suffix of a test file decides its project. */
export default {
  workerIdleMemoryLimit: '512MB',
  maxWorkers: 2,
  forceExit: false,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/**/*.spec.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.(integration|e2e|replay|slow)\\.spec\\.ts$'],
    },
    {
      ...shared,
      displayName: 'integration',
      testMatch: ['<rootDir>/**/*.integration.spec.ts'],
      globalSetup: '<rootDir>/test/harness/setup-database.mjs',
      globalTeardown: teardown,
    },
    {
      ...shared,
      displayName: 'e2e',
      testMatch: ['<rootDir>/**/*.e2e.spec.ts'],
      globalSetup: '<rootDir>/test/harness/setup-temporal.mjs',
      globalTeardown: teardown,
    },
    {
      ...shared,
      displayName: 'slow',
      testMatch: ['<rootDir>/**/*.slow.spec.ts'],
      globalSetup: '<rootDir>/test/harness/setup-database.mjs',
      globalTeardown: teardown,
    },
    { ...shared, displayName: 'replay', testMatch: ['<rootDir>/test/replay/**/*.replay.spec.ts'] },
  ],
};
