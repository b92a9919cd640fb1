/** A hot loop over the edge of a page, on which one of its instructions lies, while its second page is mapped elsewhere (SDM vol. 3, 4.10.4). */
import { expect, test } from 'vitest';
import { ENTER_LONG, Machine, TABLES } from './machine.ts';

const FIRST = 0x2_0000;
/** Two pages, one of which is the second of the loop. */
const SECOND = [0x2_1000, 0x2_2000] as const;
const LOOP = 0xff9;
/** Rounds after which the loop is translated where it has to become hot. */
const ROUNDS = 400_000;

/** `lea rdx, [rdx + 1]`, and of `add rbx, imm32` all but the immediate. */
const HEAD = [0x48, 0x8d, 0x52, 1, 0x48, 0x81, 0xc3];
/** The immediate, `dec ecx`, JNZ to the head, `ret`. */
const tail = (added: number): number[] => [added, 0, 0, 0, 0xff, 0xc9, 0x75, 0xf1, 0xc3];

/** Maps one of both pages behind the first one. */
const map = (second: number): string => `mov qword ptr [0x13008], ${second + 7}\n`;
/** Calls the loop, and keeps what it added. */
const call = (rounds: number): string => `xor ebx, ebx
        mov ecx, ${rounds}
        call rbp
        mov [rdi], rbx
        add rdi, 8
`;

/** What makes a processor look at its tables again, of the second page of the loop. */
const ways = {
  INVLPG: 'invlpg [rbp + 7]\n',
  'INVLPG of its last byte': 'invlpg [rbp + 0x1006]\n',
  'MOV to CR3': 'mov rax, cr3\n mov cr3, rax\n',
  'MOV to CR4': 'mov rax, cr4\n xor rax, 0x80\n mov cr4, rax\n',
  INVPCID: 'xor eax, eax\n invpcid rax, [0x4000]\n',
};

test.each(['interpreter', 'auto', 'translator'] as const)('%s: what is executed is what is mapped behind each of them', (engine) => {
  const m = new Machine(engine);
  m.bytes.set(HEAD, FIRST + LOOP);
  for (const [i, page] of SECOND.entries()) m.bytes.set(tail(i + 1), page);
  // INVPCID's descriptor: the address, of PCID 0.
  m.view.setBigUint64(0x4008, 0x20_1000n, true);
  const [one, two] = SECOND;
  m.load(0x2000, `${ENTER_LONG}
        mov dword ptr [0x12008], 0x13007
        mov qword ptr [0x13000], ${FIRST + 7}
        ${map(one)}
        mov rbp, ${0x20_0000 + LOOP}
        mov edi, 0x8000
        ${call(ROUNDS)}${Object.values(ways).map((way) => `${map(two)}${way}${call(100)}${map(one)}${way}${call(100)}`).join('')}
        hlt
${TABLES}`);
  expect(m.boot(0x2000, 6 * ROUNDS)).toBe('waiting');
  const sums = Array.from({ length: 1 + 2 * Object.keys(ways).length }, (_, i) => Number(m.view.getBigUint64(0x8000 + 8 * i, true)));
  expect(sums).toEqual([ROUNDS, ...Object.keys(ways).flatMap(() => [200, 100])]);
  const { regions } = m.lp.engine.translation ?? { regions: 0 };
  expect(regions > 0).toBe(engine !== 'interpreter');
});
