/** The import graph. Packages depend on each other only through axvisor_api, with two exceptions that are arrows by nature. */
const PRIVATE = '^packages/(axvisor|bench|tooling)/';

module.exports = {
  forbidden: [
    {
      name: 'only-through-axvisor_api',
      severity: 'error',
      from: { path: '^packages/([^/]+)/src/', pathNot: [PRIVATE, '^packages/softcpu_'] },
      to: { path: '^packages/', pathNot: ['^packages/$1/', '^packages/axvisor_api/'] },
    },
    {
      name: 'softcpu-isa-on-engine',
      severity: 'error',
      from: { path: '^packages/(softcpu_[^/]+)/src/' },
      to: { path: '^packages/', pathNot: ['^packages/$1/', '^packages/axvisor_api/', '^packages/softcpu/'] },
    },
    { name: 'api-is-a-leaf', severity: 'error', from: { path: '^packages/axvisor_api/src/' }, to: { path: '^packages/', pathNot: '^packages/axvisor_api/' } },
    {
      name: 'engine-without-api',
      severity: 'error',
      from: { path: '^packages/softcpu/src/', pathNot: '^packages/softcpu/src/hosted.ts' },
      to: { path: ['^packages/', '^packages/softcpu/src/hosted.ts'], pathNot: '^packages/softcpu/src/(?!hosted)' },
    },
    {
      name: 'npm-only-at-the-edges',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: [PRIVATE, '^packages/axvmconfig/'] },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'], pathNot: '^packages/' },
    },
    {
      name: 'libraries-run-in-browsers',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: [PRIVATE, '^packages/axhost/src/node/'] },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: ['/dist/', '^packages/axvisor/scripts/'] },
    tsPreCompilationDeps: 'specify',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@axvisor/source', 'types', 'import', 'node', 'default'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
