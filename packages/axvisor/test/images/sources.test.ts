import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { debianMirrors, parseDeb822, parseOneLine, readSources } from '../../src/images/sources.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

describe('sources.list', () => {
  it('reads one-line entries with options and comments', () => {
    const text = `# a comment
deb http://one.example/debian bookworm main contrib # the rest is not read
deb [ arch=amd64 signed-by=${KEYRING} ] https://two.example/debian/ trixie main
deb-src http://one.example/debian bookworm main
# deb http://off.example/debian bookworm main
`;
    expect(parseOneLine(text)).toEqual([
      { uri: 'http://one.example/debian', suite: 'bookworm', components: ['main', 'contrib'], signedBy: undefined },
      { uri: 'https://two.example/debian/', suite: 'trixie', components: ['main'], signedBy: KEYRING },
    ]);
  });

  it('reads deb822 paragraphs, several suites, continuation lines and Enabled', () => {
    const text = `Types: deb deb-src
# between fields
URIs: http://one.example/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: ${KEYRING}

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

types: deb
uris: http://key.example/debian
suites: sid
components: main
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----
`;
    expect(parseDeb822(text)).toEqual([
      { uri: 'http://one.example/debian', suite: 'bookworm', components: ['main'], signedBy: KEYRING },
      { uri: 'http://one.example/debian', suite: 'bookworm-updates', components: ['main'], signedBy: KEYRING },
      { uri: 'http://key.example/debian', suite: 'sid', components: ['main'], signedBy: undefined },
    ]);
  });

  it('reads a whole apt folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'axvisor-sources-'));
    try {
      await mkdir(join(folder, 'sources.list.d'));
      await writeFile(join(folder, 'sources.list.d', 'b.sources'), 'Types: deb\nURIs: http://b.example/debian\nSuites: sid\nComponents: main\n');
      await writeFile(join(folder, 'sources.list.d', 'a.list'), 'deb http://a.example/debian sid main\n');
      await writeFile(join(folder, 'sources.list.d', 'c.list.save'), 'deb http://c.example/debian sid main\n');
      expect((await readSources(folder)).map((source) => source.uri)).toEqual(['http://a.example/debian', 'http://b.example/debian']);
      expect(await readSources(join(folder, 'absent'))).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('the mirrors', () => {
  it('puts the archive of the distribution before strangers, without its side archives', () => {
    const sources = parseOneLine(`deb http://stranger.example/apt bookworm main
deb http://security.example/debian-security bookworm-security main
deb http://docker.example/linux/debian bookworm stable
deb cdrom:[Debian] bookworm main
deb http://mirror.example/debian bookworm main
deb [signed-by=${KEYRING}] http://mine.example/mirrors/deb/ bookworm main
deb http://mirror.example/debian bookworm-updates main`);
    expect(debianMirrors(sources)).toEqual(['http://mine.example/mirrors/deb', 'http://mirror.example/debian', 'http://stranger.example/apt']);
  });
});
