import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Most of a test's time is waiting; by default two cores would run one file after the other.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    projects: [
      {
        test: { name: 'unit', include: ['src/**/*.spec.ts', 'test/{comfyui,oss,chaos,docker}/**/*.spec.ts'] },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e-spec.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        // Whole suites that would take `npm test` beyond four minutes; CI runs them as well.
        test: {
          name: 'slow',
          include: ['test/slow/**/*.slow-spec.ts'],
          testTimeout: 60_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/real/**/*.real-spec.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
