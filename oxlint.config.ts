import { defineConfig, type OxlintOverride } from 'oxlint';

/**
 * The house's one-way street: a package may import only packages that stand before it here.
 * Packages on the same row (an inner array) never import one another.
 */
const order: readonly (readonly string[])[] = [
  ['bytes'],
  ['access'],
  ['threshold'],
  ['wire'],
  ['log', 'transport', 'places', 'intent'],
  ['ceremony'],
  ['server'],
  ['cli'],
];

const folderOf = (name: string): string =>
  name === 'server' || name === 'cli' ? `apps/${name}` : `packages/${name}`;

const importRules = order.flatMap((row, at) =>
  row.map((name): OxlintOverride => {
    const later = order
      .slice(at)
      .flat()
      .filter((other) => other !== name);
    const isApp = at >= order.length - 2;
    const forbidden = isApp ? [...later, 'threshold'] : later;
    return {
      files: [`${folderOf(name)}/src/**/*.ts`],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                group: [...new Set(forbidden)].flatMap((other) => [
                  `@keepset/${other}`,
                  `@keepset/${other}/**`,
                ]),
                message: `${name} may not import this: imports point one way (docs/architecture.md).`,
              },
              // A relative path that enters a `src` has left its own.
              {
                regex: '^\\.\\.?/(.*/)?(src|packages|apps)/',
                message: 'Import packages by name, not by path.',
              },
            ],
          },
        ],
      },
    };
  }),
);

export default defineConfig({
  plugins: ['typescript', 'import', 'unicorn', 'oxc'],
  categories: { correctness: 'error', suspicious: 'error' },
  options: { typeAware: true },
  ignorePatterns: ['**/dist/**', '**/node_modules/**'],
  rules: {
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/switch-exhaustiveness-check': 'error',
    'typescript/consistent-type-imports': 'error',
    'no-console': 'error',
    'no-underscore-dangle': 'off',
    'no-shadow': 'off',
    'no-await-in-loop': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/no-array-reverse': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'typescript/no-unsafe-type-assertion': 'off',
  },
  overrides: [
    ...importRules,
    {
      files: ['**/test/**', 'tests/**', 'benchmarks/**', 'scripts/**', 'runtime/**', 'apps/cli/**'],
      rules: { 'typescript/no-non-null-assertion': 'off', 'no-console': 'off' },
    },
  ],
});
