import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// In development the API comes from a running Myelin, or from `npm run mock` (MYELIN_URL=http://127.0.0.1:8099).
const upstream = process.env.MYELIN_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [svelte()],
  build: {
    // Not dist itself: git keeps dist/placeholder, and emptying the output must not remove it.
    outDir: 'dist/app',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': upstream, '/v1': upstream, '/healthz': upstream, '/readyz': upstream } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
