/**
 * Fetches Debian packages of any architecture and suite through the machine's own apt, in an apt of our own: its configuration, state and cache
 * lie in our folder (apt.conf(5), Dir), so nothing of the system is changed and no privilege is needed. What comes is
 * trusted by apt's chain: Debian's keyring signs InRelease, which names the hash of the index, which names the hash of the package.
 */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ImageError, type ImageErrorCode } from './error.ts';
import { run, type RunResult } from './process.ts';
import { debianMirrors, readSources } from './sources.ts';

/** Which repository an isolated apt looks at. */
export interface AptOptions {
  /** Folder of this apt; made when it is not there. */
  readonly directory: string;
  readonly suite: string;
  readonly architecture: string;
  /** Ask this mirror in place of the machine's own ones. */
  readonly mirror?: string | undefined;
  /** Trust this keyring in place of the one of the package debian-archive-keyring. */
  readonly keyring?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One package as the signed index describes it. */
export interface PackageRecord {
  readonly package: string;
  readonly version: string;
  readonly architecture: string;
  /** Bytes of the .deb. */
  readonly size: number;
  /** Of the .deb, hexadecimal. */
  readonly sha256: string;
  /** Names it depends on; of alternatives the first. */
  readonly depends: readonly string[];
}

/** Takes a part of the work from 0 to 1. */
export type Fraction = (done: number) => void;

const KEYRINGS: readonly string[] = ['/usr/share/keyrings/debian-archive-keyring.gpg', '/usr/share/keyrings/debian-archive-keyring.pgp'];

/** What apt says on standard error, and what it means. The first that fits counts. */
const COMPLAINTS: readonly (readonly [RegExp, ImageErrorCode, string])[] = [
  [/No space left on device/, 'disk', 'no space left on the disk'],
  [/Hash Sum mismatch|unexpected size/i, 'checksum', 'what the mirror sent does not match its signed index'],
  [/NO_PUBKEY|GPG error|BADSIG|EXPKEYSIG|is not signed|isn't signed|signatures (were|couldn't)|not valid yet|is expired/i, 'signature', "the mirror's signature does not verify"],
  [/resolv|Could not connect|Cannot initiate the connection|Connection (failed|refused|timed out)|unreachable|No route to host/i, 'network', 'the mirror cannot be reached'],
  [/does not have a Release file/, 'no-mirror', 'the mirror does not have it'],
  [/Failed to fetch/, 'network', 'the mirror does not answer'],
  [/Unable to locate package|No packages found|Can't select|was not found/, 'no-package', 'no such package'],
];

function complaint(result: RunResult, what: string): ImageError {
  const lines = result.stderr.split('\n').filter((line) => /^[EW]:/.test(line));
  const detail = (lines.find((line) => line.startsWith('E:')) ?? lines[0] ?? `exit code ${result.code}`).replace(/^[EW]:\s*/, '');
  const [, code, meaning] = COMPLAINTS.find(([pattern]) => pattern.test(result.stderr)) ?? [undefined, 'tool' as const, 'apt failed'];
  return new ImageError(code, `${what}: ${meaning} (${detail})`);
}

/** Reads the stanzas `apt-cache show` prints. */
function parseShow(text: string): PackageRecord[] {
  return text
    .split(/\n\n+/)
    .map((stanza) => new Map([...stanza.matchAll(/^([A-Za-z0-9-]+): (.*)$/gm)].map((m) => [m[1]!, m[2]!])))
    .filter((fields) => fields.has('SHA256'))
    .map((fields) => ({
      package: fields.get('Package') ?? '',
      version: fields.get('Version') ?? '',
      architecture: fields.get('Architecture') ?? '',
      size: Number(fields.get('Size') ?? Number.NaN),
      sha256: (fields.get('SHA256') ?? '').toLowerCase(),
      depends: (fields.get('Depends') ?? '').split(',').map((part) => /^\s*([^\s|(:]*)/.exec(part)?.[1] ?? ''),
    }));
}

async function firstReadable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths)
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  return undefined;
}

/** SHA-256 of a file, hexadecimal. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** An apt with a configuration of its own. */
export class IsolatedApt {
  readonly #options: AptOptions;
  readonly #mirrors: readonly string[];
  readonly #keyring: string;
  /** Apt's tool for scripts. */
  readonly #helper: string;
  readonly #environment: Readonly<Record<string, string>>;

  private constructor(options: AptOptions, mirrors: readonly string[], keyring: string, helper: string) {
    this.#options = options;
    this.#mirrors = mirrors;
    this.#keyring = keyring;
    this.#helper = helper;
    this.#environment = { APT_CONFIG: join(options.directory, 'apt.conf') };
  }

  /**
   * Sets up the folder.
   *
   * @throws {ImageError} no-apt, no-keyring or no-mirror when the machine cannot do this at all
   */
  static async open(options: AptOptions): Promise<IsolatedApt> {
    const { directory, signal } = options;
    const settings = await run('apt-config', ['dump'], { signal }).catch((error: unknown) => {
      if (error instanceof ImageError && error.code === 'tool')
        throw new ImageError('no-apt', 'this machine has no apt: Debian images are fetched by the apt of a Debian or Ubuntu machine', error);
      throw error;
    });
    const keyring = options.keyring ?? (await firstReadable(KEYRINGS));
    if (keyring === undefined) throw new ImageError('no-keyring', "Debian's keyring is not on this machine: install the package debian-archive-keyring");
    const setting = (name: string, otherwise: string): string =>
      settings.stdout.split('\n').find((line) => line.startsWith(`${name} "`))?.slice(name.length + 2, -2) ?? otherwise;
    const mirrors = options.mirror === undefined ? debianMirrors(await readSources(join('/', setting('Dir::Etc', 'etc/apt')))) : [options.mirror.replace(/\/+$/, '')];
    if (mirrors.length === 0) throw new ImageError('no-mirror', "this machine's apt sources name no Debian mirror: give one with AXVISOR_DEBIAN_MIRROR");

    const lists = join(directory, 'state', 'lists', 'partial');
    const archives = join(directory, 'cache', 'archives', 'partial');
    await mkdir(lists, { recursive: true });
    await mkdir(archives, { recursive: true });
    await writeFile(join(directory, 'status'), '');
    // The machine's apt.conf.d is left out for its hooks, which act on the system; how to get out to the network is kept.
    const network = settings.stdout.split('\n').filter((line) => /^Acquire::(https?|ftp|Retries|ForceIPv[46]|Proxy-Auto-Detect)\b.* ".+";$/.test(line));
    const own: readonly (readonly [string, string])[] = [
      ['Dir::State', join(directory, 'state')],
      ['Dir::State::status', join(directory, 'status')],
      ['Dir::Cache', join(directory, 'cache')],
      ['Dir::Cache::pkgcache', ''],
      ['Dir::Cache::srcpkgcache', ''],
      ['Dir::Log', join(directory, 'log')],
      ['Dir::Etc::main', '/dev/null'],
      ['Dir::Etc::parts', '/dev/null'],
      ['Dir::Etc::sourcelist', join(directory, 'sources.list')],
      ['Dir::Etc::sourceparts', '/dev/null'],
      ['Dir::Etc::preferences', '/dev/null'],
      ['Dir::Etc::preferencesparts', '/dev/null'],
      ['APT::Architecture', options.architecture],
      ['APT::Architectures::', options.architecture],
      ['APT::Update::Error-Mode', 'any'],
      // As root, apt would fetch as the user _apt, who may not look into a home folder.
      ['APT::Sandbox::User', 'root'],
      ['Acquire::Languages', 'none'],
    ];
    if (own.some(([, value]) => /["\n]/.test(value))) throw new ImageError('disk', `apt cannot work in a folder of this name: ${directory}`);
    await writeFile(join(directory, 'apt.conf'), `${[...network, ...own.map(([name, value]) => `${name} "${value}";`)].join('\n')}\n`);
    return new IsolatedApt(options, mirrors, keyring, join(dirname(setting('Dir::Bin::methods', '/usr/lib/apt/methods')), 'apt-helper'));
  }

  /** Runs a command of apt, with its progress. */
  async #apt(command: string, args: readonly string[], cwd: string, progress?: Fraction): Promise<RunResult> {
    const { signal } = this.#options;
    const status = (line: string): void => {
      const percent = /^dlstatus:\d+:([\d.]+):/.exec(line)?.[1];
      if (percent !== undefined) progress?.(Number(percent) / 100);
    };
    const withStatus = progress === undefined ? {} : { status };
    const options = progress === undefined ? args : ['-o', 'APT::Status-Fd=3', ...args];
    return await run(command, options, { cwd, env: this.#environment, signal, ...withStatus });
  }

  /**
   * Brings the index up to date, from the first mirror that has the suite.
   *
   * @throws {ImageError} network, signature … of the likeliest mirror when none has it
   */
  async update(progress?: Fraction): Promise<void> {
    const { directory, architecture, suite } = this.#options;
    let first: ImageError | undefined;
    for (const mirror of this.#mirrors) {
      await writeFile(join(directory, 'sources.list'), `deb [arch=${architecture} signed-by=${this.#keyring}] ${mirror} ${suite} main\n`);
      const result = await this.#apt('apt-get', ['update'], directory, progress ?? ((): void => undefined));
      if (result.code === 0) return;
      first ??= complaint(result, `the index of Debian ${suite} for ${architecture}`);
    }
    throw first ?? new ImageError('no-mirror', 'no Debian mirror to ask');
  }

  /**
   * Looks a package up in the index, following a meta-package to what it stands for.
   *
   * @param follow which dependency to take in place of the package itself
   * @throws {ImageError} no-package
   */
  async find(name: string, follow?: RegExp): Promise<PackageRecord> {
    const { directory, suite, architecture } = this.#options;
    const result = await this.#apt('apt-cache', ['show', '--no-all-versions', name], directory);
    const record = parseShow(result.stdout)[0];
    if (record === undefined) throw new ImageError('no-package', `Debian ${suite} has no package ${name} for ${architecture}`);
    if (follow === undefined) return record;
    const target = record.depends.find((dependency) => follow.test(dependency));
    if (target === undefined) throw new ImageError('no-package', `the package ${name} of Debian ${suite} names no package like ${follow.source}`);
    return await this.find(target);
  }

  /**
   * Downloads a package to the file `to`. What a cut-off try has fetched stays in this apt's folder, and the next goes on from there if the mirror
   * dates its files (it must, for HTTP's If-Range). `apt-get download` would begin anew, so the helper fetches what apt-get would.
   *
   * @returns when the file's hash is the index's
   * @throws {ImageError} network, checksum …
   */
  async download(record: PackageRecord, to: string, progress?: Fraction): Promise<void> {
    const { directory } = this.#options;
    const place = await this.#apt('apt-get', ['download', '--print-uris', `${record.package}=${record.version}`], directory);
    const uri = /^'([^']+)' /m.exec(place.stdout)?.[1];
    if (place.code !== 0 || uri === undefined) throw complaint(place, record.package);
    const partial = join(directory, 'cache', 'archives', 'partial', `${record.sha256}.deb`);
    const result = await this.#apt(this.#helper, ['download-file', uri, partial, `SHA256:${record.sha256}`], directory, progress);
    if (result.code !== 0) throw complaint(result, record.package);
    const sha256 = await sha256File(partial);
    if (sha256 !== record.sha256) {
      await rm(partial, { force: true });
      throw new ImageError('checksum', `${record.package}: SHA-256 is ${sha256}, the signed index says ${record.sha256}`);
    }
    await rename(partial, to);
  }
  /**
   * Decompresses a file, by its ending, into another. The machine may lack xz, but never the liblzma that apt is linked with.
   *
   * @throws {ImageError} tool when it cannot
   */
  async decompress(from: string, to: string): Promise<void> {
    const result = await run(this.#helper, ['cat-file', from], { signal: this.#options.signal, outputFile: to });
    if (result.code !== 0) throw new ImageError('tool', `${from} cannot be decompressed: ${result.stderr.trim()}`);
  }
}
