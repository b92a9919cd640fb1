import { describe, expect, it } from 'vitest';
import { collectModules, moduleName, moduleTables, readModuleInfo, stripSignature } from '../../src/images/modules.ts';

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** A module with nothing in it but a .modinfo section and the section names. */
function module(info: string): Uint8Array {
  const names = latin1('\0.modinfo\0.shstrtab\0');
  const body = latin1(info);
  const bytes = new Uint8Array(64 + body.length + names.length + 3 * 64);
  const view = new DataView(bytes.buffer);
  const table = 64 + body.length + names.length;
  bytes.set(latin1('\x7fELF\x02\x01\x01'));
  bytes.set(body, 64);
  bytes.set(names, 64 + body.length);
  view.setBigUint64(0x28, BigInt(table), true);
  view.setUint16(0x3a, 64, true);
  view.setUint16(0x3c, 3, true);
  view.setUint16(0x3e, 2, true);
  const header = (i: number, name: number, offset: number, size: number): void => {
    view.setUint32(table + 64 * i, name, true);
    view.setBigUint64(table + 64 * i + 0x18, BigInt(offset), true);
    view.setBigUint64(table + 64 * i + 0x20, BigInt(size), true);
  };
  header(1, 1, 64, body.length);
  header(2, 10, 64 + body.length, names.length);
  return bytes;
}

function signed(bytes: Uint8Array, signature: number): Uint8Array {
  const out = new Uint8Array(bytes.length + signature + 12 + 28);
  out.set(bytes);
  new DataView(out.buffer).setUint32(bytes.length + signature + 8, signature);
  out.set(latin1('~Module signature appended~\n'), bytes.length + signature + 12);
  return out;
}

describe('kernel modules', () => {
  it('are named as the kernel names them', () => {
    expect(moduleName('kernel/drivers/char/hw_random/virtio-rng.ko.xz')).toBe('virtio_rng');
    expect(moduleName('failover.ko')).toBe('failover');
  });

  it('say what they need', () => {
    const info = 'license=GPL\0depends=net_failover,failover\0alias=virtio:d00000001v*\0alias=fs-x\0softdep=pre: crc32c a-b post: z\0intree=Y\0';
    expect(readModuleInfo(module(info), 'x')).toEqual({
      depends: ['net_failover', 'failover'],
      softdeps: ['crc32c', 'a-b'],
      aliases: ['virtio:d00000001v*', 'fs-x'],
    });
    expect(readModuleInfo(module('depends=\0'), 'x')).toEqual({ depends: [], softdeps: [], aliases: [] });
  });

  it('that are none are refused', () => {
    const whole = module('depends=\0');
    expect(() => readModuleInfo(new Uint8Array(10), 'x')).toThrow('x is not a 64-bit kernel module');
    expect(() => readModuleInfo(whole.subarray(0, whole.length - 1), 'x')).toThrow('not a 64-bit kernel module');
    expect(() => readModuleInfo(whole.with(4, 1), 'x')).toThrow('not a 64-bit kernel module');
  });

  it('lose their signature, and nothing else', () => {
    const plain = module('depends=\0');
    expect(stripSignature(plain)).toBe(plain);
    expect(stripSignature(signed(plain, 264))).toEqual(plain);
    const lying = signed(plain, 264);
    new DataView(lying.buffer).setUint32(plain.length + 264 + 8, 0xffff_ffff);
    expect(stripSignature(lying)).toBe(lying);
  });

  it('come with what they need, in insertion order, and with tables for modprobe', async () => {
    const store = new Map([
      ['kernel/net/virtio_net.ko.xz', module('depends=net-failover\0alias=virtio:d00000001v*\0')],
      ['kernel/net/net_failover.ko.xz', module('depends=failover\0')],
      ['kernel/net/failover.ko.xz', module('depends=\0')],
      ['kernel/fs/ext4.ko', module('depends=\0softdep=pre: failover\0alias=fs-ext4\0')],
      ['kernel/other.ko', module('depends=\0')],
    ]);
    const modules = await collectModules([...store.keys()], ['virtio-net', 'built_in', 'ext4', 'virtio_net'], (path) => Promise.resolve(store.get(path)!));
    expect(modules.map((m) => m.path)).toEqual(['kernel/net/failover.ko', 'kernel/net/net_failover.ko', 'kernel/net/virtio_net.ko', 'kernel/fs/ext4.ko']);
    expect(moduleTables(modules)).toEqual({
      dep: `kernel/net/failover.ko:
kernel/net/net_failover.ko: kernel/net/failover.ko
kernel/net/virtio_net.ko: kernel/net/net_failover.ko kernel/net/failover.ko
kernel/fs/ext4.ko: kernel/net/failover.ko
`,
      alias: 'alias virtio:d00000001v* virtio_net\nalias fs-ext4 ext4\n',
    });
  });

  it('may depend on each other in a circle', async () => {
    const store: Record<string, Uint8Array> = { 'a.ko': module('depends=b\0'), 'b.ko': module('depends=a\0') };
    const modules = await collectModules(Object.keys(store), ['a'], (path) => Promise.resolve(store[path]!));
    expect(moduleTables(modules).dep).toBe('b.ko: a.ko\na.ko: b.ko\n');
  });
});
