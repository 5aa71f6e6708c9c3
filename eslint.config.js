import js from '@eslint/js';
import importX, { createNodeResolver } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** Dependencies flow one way: engine → components → runners. Each folder may not import from these. */
const forbidden = {
  engine: ['components', 'runners', 'bench', 'test'],
  components: ['runners', 'bench', 'test'],
  runners: ['bench', 'test'],
  images: ['components', 'runners', 'bench', 'test'],
  bench: ['test'],
};

/** The services' names and profiles: data that everyone may read. */
const namesOnly = { components: ['./services.ts'] };

export default tseslint.config(
  { ignores: ['node_modules/', '.rehearsal/', '**/dist/', 'test/fixtures/'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true } },
    plugins: { 'import-x': importX },
    settings: {
      'import-x/resolver-next': [
        createNodeResolver({ extensions: ['.ts', '.js'], extensionAlias: { '.js': ['.ts', '.js'] } }),
      ],
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'import-x/no-restricted-paths': [
        'error',
        {
          zones: Object.entries(forbidden).flatMap(([folder, others]) =>
            others.map((other) => ({
              target: `./${folder}`,
              from: `./${other}`,
              except: namesOnly[other] ?? [],
            })),
          ),
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // jest's `expect(…).rejects` and fakes of async interfaces.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs', '**/*.cjs'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  {
    files: ['images/frontend/page/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        ['clearTimeout', 'document', 'fetch', 'location', 'sessionStorage', 'setTimeout', 'WebSocket'].map(
          (name) => [name, 'readonly'],
        ),
      ),
    },
  },
);
