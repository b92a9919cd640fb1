import { component as axerrno } from '@axvisor/axerrno';
import { link } from '@axvisor/axvisor_api';
import * as api from '@axvisor/axvisor_api/addr';
import { expect, test } from 'vitest';
import { component } from '../src/index.ts';

link([axerrno, component]);

test('provides the addr API', () => {
  const range = api.rangeFromStartSize(api.gpa(0x8000_0000n), 0x1000n);
  expect(range).toEqual({ start: 0x8000_0000n, end: 0x8000_1000n });
  expect([api.rangeContains(range, api.gpa(0x8000_0fffn)), api.rangesOverlap(range, range), api.rangeContainsRange(range, range)]).toEqual([true, true, true]);
  expect([api.alignDown(api.hpa(0x1fffn), 0x1000n), api.alignUp(api.hva(1n), 0x1000n), api.isAligned(api.gva(8n), 8n), api.addrAdd(api.gpa(8n), -8n)]).toEqual([0x1000n, 0x1000n, true, 0n]);
  expect(() => api.gpa(-1n)).toThrow(expect.objectContaining({ name: 'AxError', kind: 'OutOfRange', errno: 34 }));
});
