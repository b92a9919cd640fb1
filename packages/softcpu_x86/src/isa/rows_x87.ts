/** Rows of the opcode table: x87 escapes D8 … DF (SDM vol. 2, A.5). */
const names = ['fadd', 'fmul', 'fcom', 'fcomp', 'fsub', 'fsubr', 'fdiv', 'fdivr'] as const;
/** With ST(i) as destination the subtractions and divisions change places. */
const reversed = ['fadd', 'fmul', 'fcom', 'fcomp', 'fsubr', 'fsub', 'fdivr', 'fdiv'] as const;
const rows = (row: (i: number) => string): string => Array.from({ length: 8 }, (_, i) => row(i)).join('\n');

export const X87_ROWS: string = `
${rows((i) => `
D8/${i}:m ${names[i] as string} Md fpu
D8/${i}:r ${names[i] as string} ${i === 2 || i === 3 ? 'Ti' : 'T0,Ti'} fpu
DA/${i}:m fi${(names[i] as string).slice(1)} Md fpu
DC/${i}:m ${names[i] as string} Mq fpu
DE/${i}:m fi${(names[i] as string).slice(1)} Mw fpu`)}
${[0, 1, 4, 5, 6, 7].map((i) => `
DC/${i}:r ${reversed[i] as string} Ti,T0 fpu
DE/${i}:r ${reversed[i] as string}p Ti,T0 fpu`).join('\n')}
DC/2:r fcom Ti fpu alias
DC/3:r fcomp Ti fpu alias
DE/2:r fcomp Ti fpu alias
DE:D9 fcompp - fpu
D9/0:m fld Md fpu
D9/2:m fst Md fpu
D9/3:m fstp Md fpu
D9/4:m fldenv M fpu
D9/5:m fldcw Mw fpu
D9/6:m fnstenv M fpu
D9/7:m fnstcw Mw fpu
D9/0:r fld Ti fpu
D9/1:r fxch Ti fpu
D9:D0 fnop - fpu
D9/3:r fstp Ti fpu alias
D9:E0 fchs - fpu
D9:E1 fabs - fpu
D9:E4 ftst - fpu
D9:E5 fxam - fpu
D9:E8 fld1 - fpu
D9:E9 fldl2t - fpu
D9:EA fldl2e - fpu
D9:EB fldpi - fpu
D9:EC fldlg2 - fpu
D9:ED fldln2 - fpu
D9:EE fldz - fpu
D9:F0 f2xm1 - fpu
D9:F1 fyl2x - fpu
D9:F2 fptan - fpu
D9:F3 fpatan - fpu
D9:F4 fxtract - fpu
D9:F5 fprem1 - fpu
D9:F6 fdecstp - fpu
D9:F7 fincstp - fpu
D9:F8 fprem - fpu
D9:F9 fyl2xp1 - fpu
D9:FA fsqrt - fpu
D9:FB fsincos - fpu
D9:FC frndint - fpu
D9:FD fscale - fpu
D9:FE fsin - fpu
D9:FF fcos - fpu
DA/0:r fcmovb T0,Ti fpu cmov
DA/1:r fcmove T0,Ti fpu cmov
DA/2:r fcmovbe T0,Ti fpu cmov
DA/3:r fcmovu T0,Ti fpu cmov
DA:E9 fucompp - fpu
DB/0:m fild Md fpu
DB/1:m fisttp Md fpu sse3
DB/2:m fist Md fpu
DB/3:m fistp Md fpu
DB/5:m fld Mt fpu
DB/7:m fstp Mt fpu
DB/0:r fcmovnb T0,Ti fpu cmov
DB/1:r fcmovne T0,Ti fpu cmov
DB/2:r fcmovnbe T0,Ti fpu cmov
DB/3:r fcmovnu T0,Ti fpu cmov
DB:E0 fneni - fpu
DB:E1 fndisi - fpu
DB:E2 fnclex - fpu
DB:E3 fninit - fpu
DB:E4 fnsetpm - fpu
DB/5:r fucomi T0,Ti fpu
DB/6:r fcomi T0,Ti fpu
DD/0:m fld Mq fpu
DD/1:m fisttp Mq fpu sse3
DD/2:m fst Mq fpu
DD/3:m fstp Mq fpu
DD/4:m frstor M fpu
DD/6:m fnsave M fpu
DD/7:m fnstsw Mw fpu
DD/0:r ffree Ti fpu
DD/1:r fxch Ti fpu alias
DD/2:r fst Ti fpu
DD/3:r fstp Ti fpu
DD/4:r fucom Ti fpu
DD/5:r fucomp Ti fpu
DF/0:m fild Mw fpu
DF/1:m fisttp Mw fpu sse3
DF/2:m fist Mw fpu
DF/3:m fistp Mw fpu
DF/4:m fbld Mt fpu
DF/5:m fild Mq fpu
DF/6:m fbstp Mt fpu
DF/7:m fistp Mq fpu
DF/0:r ffreep Ti fpu
DF/1:r fxch Ti fpu alias
DF/2:r fstp Ti fpu alias
DF/3:r fstp Ti fpu alias
DF:E0 fnstsw AX fpu
DF/5:r fucomip T0,Ti fpu
DF/6:r fcomip T0,Ti fpu
`;
