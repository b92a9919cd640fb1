/**
 * Rows of the opcode table: general-purpose instructions (SDM vol. 2, appendix A; AMD APM vol. 3). The notation is explained in
 * `table.ts`.
 */
const each = (count: number, row: (i: number) => string): string => Array.from({ length: count }, (_, i) => row(i)).join('\n');
const hex = (value: number): string => value.toString(16).toUpperCase().padStart(2, '0');

/** Conditions by number, as in the names of Jcc, SETcc and CMOVcc. */
export const CONDITIONS: readonly string[] = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];

const ARITHMETIC: readonly string[] = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const SHIFTS: readonly string[] = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'shl', 'sar'];

const arithmetic = each(8, (i) => {
  const name = ARITHMETIC[i] as string;
  const lock = name === 'cmp' ? '' : 'lk';
  const base = i * 8;
  return `
${hex(base)} ${name} Eb,Gb ${lock}
${hex(base + 1)} ${name} Ev,Gv ${lock}
${hex(base + 2)} ${name} Gb,Eb
${hex(base + 3)} ${name} Gv,Ev
${hex(base + 4)} ${name} AL,Ib
${hex(base + 5)} ${name} rAX,Iz
80/${i} ${name} Eb,Ib ${lock}
81/${i} ${name} Ev,Iz ${lock}
82/${i} ${name} Eb,Ib ${lock} i64
83/${i} ${name} Ev,Ibs ${lock}`;
});

const shifts = each(8, (i) => {
  const name = SHIFTS[i] as string;
  return `
C0/${i} ${name} Eb,Ib
C1/${i} ${name} Ev,Ib
D0/${i} ${name} Eb,1
D1/${i} ${name} Ev,1
D2/${i} ${name} Eb,CL
D3/${i} ${name} Ev,CL`;
});

const conditional = each(16, (i) => {
  const cc = CONDITIONS[i] as string;
  return `
${hex(0x70 + i)} j${cc} Jb f64
0F ${hex(0x80 + i)} j${cc} Jz f64
0F ${hex(0x90 + i)} set${cc} Eb
0F ${hex(0x40 + i)} cmov${cc} Gv,Ev`;
});

const byRegister = each(8, (i) => `
${hex(0x40 + i)} inc Zv i64
${hex(0x48 + i)} dec Zv i64
${hex(0x50 + i)} push Zv d64
${hex(0x58 + i)} pop Zv d64
${hex(0x90 + i)} xchg Zv,rAX
${hex(0xb0 + i)} mov Zb,Ib
${hex(0xb8 + i)} mov Zv,Iv
0F ${hex(0xc8 + i)} bswap Zy`);

export const INTEGER_ROWS: string = `
F3 90 pause - nob
90 nop - nob
${arithmetic}
${shifts}
${conditional}
${byRegister}
06 push ES i64
07 pop ES i64
0E push CS i64
16 push SS i64
17 pop SS i64
1E push DS i64
1F pop DS i64
0F A0 push FS d64
0F A1 pop FS d64
0F A8 push GS d64
0F A9 pop GS d64
27 daa - i64
2F das - i64
37 aaa - i64
3F aas - i64
60 pusha - i64
61 popa - i64
62 bound Gv,Ma i64
63 arpl Ew,Gw i64 prot
63 movsxd Gv,Ez o64
68 push Iz d64
69 imul Gv,Ev,Iz
6A push Ibs d64
6B imul Gv,Ev,Ibs
84 test Eb,Gb
85 test Ev,Gv
86 xchg Eb,Gb lk
87 xchg Ev,Gv lk
88 mov Eb,Gb
89 mov Ev,Gv
8A mov Gb,Eb
8B mov Gv,Ev
8C mov Esv,Sw
8D lea Gv,M
8E mov Sw,Ew
8F/0 pop Ev d64
98 cbw - w16
98 cwde - w32
98 cdqe - w64
99 cwd - w16
99 cdq - w32
99 cqo - w64
9B fwait
9E sahf
9F lahf
A0 mov AL,Ob
A1 mov rAX,Ov
A2 mov Ob,AL
A3 mov Ov,rAX
A4 movs Yb,Xb rep
A5 movs Yv,Xv rep
A6 cmps Xb,Yb rep
A7 cmps Xv,Yv rep
A8 test AL,Ib
A9 test rAX,Iz
AA stos Yb,AL rep
AB stos Yv,rAX rep
AC lods AL,Xb rep
AD lods rAX,Xv rep
AE scas AL,Yb rep
AF scas rAX,Yv rep
C2 ret Iw f64
C3 ret - f64
C4:m les Gz,Mp i64
C5:m lds Gz,Mp i64
C6/0 mov Eb,Ib
C7/0 mov Ev,Iz
C8 enter Iw,Kb d64
C9 leave - d64
D4 aam Ib i64
D5 aad Ib i64
D6 salc - i64
D7 xlat
E0 loopne Jb f64
E1 loope Jb f64
E2 loop Jb f64
E3 jcxz Jb f64
E8 call Jz f64
E9 jmp Jz f64
EB jmp Jb f64
F5 cmc
F6/0 test Eb,Ib
F6/1 test Eb,Ib
F6/2 not Eb lk
F6/3 neg Eb lk
F6/4 mul Eb
F6/5 imul Eb
F6/6 div Eb
F6/7 idiv Eb
F7/0 test Ev,Iz
F7/1 test Ev,Iz
F7/2 not Ev lk
F7/3 neg Ev lk
F7/4 mul Ev
F7/5 imul Ev
F7/6 div Ev
F7/7 idiv Ev
F8 clc
F9 stc
FC cld
FD std
FE/0 inc Eb lk
FE/1 dec Eb lk
FF/0 inc Ev lk
FF/1 dec Ev lk
FF/2 call Ev f64
FF/4 jmp Ev f64
FF/6 push Ev d64
F3 0F 1E:FA endbr64
F3 0F 1E:FB endbr32
0F 0D nop Ev
0F 18/0:m prefetchnta Mb
0F 18/1:m prefetcht0 Mb
0F 18/2:m prefetcht1 Mb
0F 18/3:m prefetcht2 Mb
0F 18 nop Ev
0F 19 nop Ev
0F 1A nop Ev
0F 1B nop Ev
0F 1C nop Ev
0F 1D nop Ev
0F 1E nop Ev
0F 1F nop Ev
0F A3 bt Ev,Gv
0F AB bts Ev,Gv lk
0F B3 btr Ev,Gv lk
0F BB btc Ev,Gv lk
0F BA/4 bt Ev,Ib
0F BA/5 bts Ev,Ib lk
0F BA/6 btr Ev,Ib lk
0F BA/7 btc Ev,Ib lk
0F A4 shld Ev,Gv,Ib
0F A5 shld Ev,Gv,CL
0F AC shrd Ev,Gv,Ib
0F AD shrd Ev,Gv,CL
0F AF imul Gv,Ev
0F B0 cmpxchg Eb,Gb lk
0F B1 cmpxchg Ev,Gv lk
0F B2:m lss Gv,Mp
0F B4:m lfs Gv,Mp
0F B5:m lgs Gv,Mp
0F B6 movzx Gv,Eb
0F B7 movzx Gv,Ew
0F BE movsx Gv,Eb
0F BF movsx Gv,Ew
F3 0F B8 popcnt Gv,Ev popcnt
F3 0F BC tzcnt Gv,Ev bmi1
F3 0F BD lzcnt Gv,Ev lzcnt
0F BC bsf Gv,Ev
0F BD bsr Gv,Ev
0F C0 xadd Eb,Gb lk
0F C1 xadd Ev,Gv lk
np 0F C3:m movnti My,Gy sse2
0F C7/1:m cmpxchg8b Mq lk cx8 w16
0F C7/1:m cmpxchg8b Mq lk cx8 w32
0F C7/1:m cmpxchg16b Mdq lk cx16 w64
nr 0F C7/6:r rdrand Rv rdrand
nr 0F C7/7:r rdseed Rv rdseed
F3 0F C7/7:r rdpid Rx rdpid
np 0F AE/5:r lfence - sse2
np 0F AE/6:r mfence - sse2
np 0F AE/7:r sfence - sse
np 0F AE/7:m clflush Mb clflush
66 0F AE/7:m clflushopt Mb clflushopt
66 0F AE/6:m clwb Mb clwb
F2 0F 38 F0 crc32 Gy,Eb sse42
F2 0F 38 F1 crc32 Gy,Ev sse42
nr 0F 38 F0:m movbe Gv,Mv movbe
nr 0F 38 F1:m movbe Mv,Gv movbe
66 0F 38 F6 adcx Gy,Ey adx
F3 0F 38 F6 adox Gy,Ey adx
v.0 0F 38 F2 andn Gy,By,Ey bmi1
v.0 0F 38 F3/1 blsr By,Ey bmi1
v.0 0F 38 F3/2 blsmsk By,Ey bmi1
v.0 0F 38 F3/3 blsi By,Ey bmi1
v.0 0F 38 F5 bzhi Gy,Ey,By bmi2
vF3.0 0F 38 F5 pext Gy,By,Ey bmi2
vF2.0 0F 38 F5 pdep Gy,By,Ey bmi2
vF2.0 0F 38 F6 mulx Gy,By,Ey bmi2
v.0 0F 38 F7 bextr Gy,Ey,By bmi1
v66.0 0F 38 F7 shlx Gy,Ey,By bmi2
vF3.0 0F 38 F7 sarx Gy,Ey,By bmi2
vF2.0 0F 38 F7 shrx Gy,Ey,By bmi2
vF2.0 0F 3A F0 rorx Gy,Ey,Ib bmi2
`;
