/** Serves the workspace to a browser on loopback: sources with their types stripped, imports by path, and a place for results. */
import { readFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import { join, normalize } from 'node:path';
import type { AddressInfo } from 'node:net';

const ROOT = join(import.meta.dirname, '../../../..');
const IMPORT = /(\bfrom\s*|\bimport\s*\(?\s*)(['"])([^./'"][^'"]*)\2/g;
/** Headers with which a page may share memory with its workers. */
const ISOLATED = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

type Exports = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Where a bare specifier lies, for what is in `folder` of the workspace. */
function resolve(specifier: string, folder: string): string {
  const [scope, name, ...rest] = specifier.startsWith('@') ? specifier.split('/') : ['', ...specifier.split('/')];
  const subpath = ['.', ...rest].join('/');
  if (scope === '@axvisor') {
    const exported = JSON.parse(readFileSync(join(ROOT, 'packages', name as string, 'package.json'), 'utf8')) as { readonly exports: Exports };
    return `/packages/${name}/${normalize(exported.exports[subpath]?.['@axvisor/source'] ?? '')}`;
  }
  const manifest = JSON.parse(readFileSync(join(ROOT, 'packages', folder, 'node_modules', specifier, 'package.json'), 'utf8')) as { readonly module: string };
  return `/packages/${folder}/node_modules/${specifier}/${normalize(manifest.module)}`;
}

async function script(path: string): Promise<string> {
  const text = await readFile(join(ROOT, path), 'utf8');
  const folder = path.split('/')[2] as string;
  const code = path.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
  return code.replace(IMPORT, (_, before: string, quote: string, specifier: string) => `${before}${quote}${resolve(specifier, folder)}${quote}`);
}

/** A server, what pages tell it, and how to end it. */
export interface TestServer {
  readonly url: string;
  /** What the next page posts. */
  result(): Promise<unknown>;
  close(): void;
}

/**
 * `/isolated/NAME` and `/plain/NAME` are pages that load the program NAME of this folder, with and without the headers that permit
 * threads to share memory.
 */
export async function serve(): Promise<TestServer> {
  const results: unknown[] = [];
  let wake = (): void => {};
  const server: Server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname);
    const page = /^\/(isolated|plain)\/(\w+)$/.exec(path);
    if (request.method === 'POST') {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        results.push(JSON.parse(Buffer.concat(parts).toString()));
        wake();
        response.end();
      });
    } else if (page !== null) {
      response.writeHead(200, { 'Content-Type': 'text/html', ...(page[1] === 'isolated' ? ISOLATED : {}) });
      response.end(`<!doctype html><script type="module" src="/packages/axvisor/test/browser/${page[2]}.ts"></script>`);
    } else if (/^\/packages\/.*\.[jt]s$/.test(path)) {
      script(path).then(
        (code) => response.writeHead(200, { 'Content-Type': 'text/javascript', ...ISOLATED }).end(code),
        (e: unknown) => {
          results.push({ error: `${path}: ${String(e)}` });
          wake();
          response.writeHead(404).end();
        },
      );
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    result: async () => {
      while (results.length === 0) await new Promise<void>((resolved) => (wake = resolved));
      return results.shift();
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
