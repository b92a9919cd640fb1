/** Reads the machine's own apt sources (sources.list(5)), one-line and deb822 style, to learn which Debian mirror it uses. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One repository of the machine's apt. */
export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  readonly signedBy: string | undefined;
}

/** Reads `sources.list` text: `deb [option=value …] uri suite component…` a line. */
export function parseOneLine(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (match === null) continue;
    const [, options = '', uri = '', suite = '', components = ''] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1];
    sources.push({ uri, suite, components: components.split(/\s+/).filter((word) => word !== ''), signedBy });
  }
  return sources;
}

/** Reads a `.sources` file: paragraphs of `Field: value` with continuation lines. */
export function parseDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const paragraph of text.split(/\n(?:[ \t]*\n)+/)) {
    const fields = new Map<string, string>();
    let last: string | undefined;
    for (const line of paragraph.split('\n')) {
      if (line.startsWith('#')) continue;
      const match = /^([!-9;-~]+):(.*)$/.exec(line);
      if (match !== null) {
        last = match[1]!.toLowerCase();
        fields.set(last, match[2]!.trim());
      } else if (last !== undefined && /^[ \t]/.test(line)) {
        fields.set(last, `${fields.get(last) ?? ''} ${line.trim()}`.trim());
      }
    }
    const words = (field: string): string[] => (fields.get(field) ?? '').split(/\s+/).filter((word) => word !== '');
    if (!words('types').includes('deb') || /^(no|false|0|off|without|disable)$/i.test(fields.get('enabled') ?? 'yes')) continue;
    // A key may be written into the field itself; only a path says which keyring is meant.
    const signedBy = words('signed-by').find((word) => word.startsWith('/'));
    for (const uri of words('uris'))
      for (const suite of words('suites')) sources.push({ uri, suite, components: words('components'), signedBy });
  }
  return sources;
}

/** Reads all sources below an apt folder such as `/etc/apt`. What cannot be read is passed over, as an absent file is. */
export async function readSources(directory: string): Promise<AptSource[]> {
  const parts = join(directory, 'sources.list.d');
  const names = (await readdir(parts).catch(() => [])).toSorted();
  const files = [join(directory, 'sources.list'), ...names.map((name) => join(parts, name))];
  const sources: AptSource[] = [];
  for (const file of files) {
    const parse = file.endsWith('.sources') ? parseDeb822 : file.endsWith('.list') ? parseOneLine : undefined;
    if (parse === undefined) continue;
    sources.push(...parse(await readFile(file, 'utf8').catch(() => '')));
  }
  return sources;
}

/** Suites that live in an archive of their own or beside the main one, and say nothing about where the main one is. */
const SIDE_SUITE = /[-/](security|updates|backports|backports-sloppy|proposed-updates|pgdg|debug)(\/|$)/;

/**
 * The mirrors to ask for Debian packages, likeliest first: repositories with a component `main`, those signed with Debian's
 * own keyring before the others. It may name a stranger's repository; apt's check of the signature settles that.
 */
export function debianMirrors(sources: readonly AptSource[]): string[] {
  const rank = (source: AptSource): number => (source.signedBy?.includes('debian-archive') === true ? 0 : 1) * 2 + (/\/debian\/?$/.test(source.uri) ? 0 : 1);
  const fit = sources.filter((s) => s.components.includes('main') && !SIDE_SUITE.test(s.suite) && /^(https?|ftp|file|mirror(\+\w+)?):/.test(s.uri));
  return [...new Set(fit.toSorted((a, b) => rank(a) - rank(b)).map((s) => s.uri.replace(/\/+$/, '')))];
}
