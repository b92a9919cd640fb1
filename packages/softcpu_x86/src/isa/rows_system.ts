/** Rows of the opcode table: system instructions, far transfers, port I/O, VMX and SVM (SDM vol. 2 and 3; AMD APM vol. 3). */
export const SYSTEM_ROWS: string = `
6C ins Yb,DX rep
6D ins Yz,DX rep
6E outs DX,Xb rep
6F outs DX,Xz rep
E4 in AL,Ib
E5 in zAX,Ib
E6 out Ib,AL
E7 out Ib,zAX
EC in AL,DX
ED in zAX,DX
EE out DX,AL
EF out DX,zAX
9A callf Ap i64
EA jmpf Ap i64
FF/3:m callf Mp
FF/5:m jmpf Mp
CA retf Iw
CB retf
9C pushf - d64
9D popf - d64
CC int3
CD int Ib
CE into - i64
CF iret - w16
CF iret - w32
CF iret - w64
F1 int1
F4 hlt
FA cli
FB sti
0F 00/0 sldt Esv prot
0F 00/1 str Esv prot
0F 00/2 lldt Ew prot
0F 00/3 ltr Ew prot
0F 00/4 verr Ew prot
0F 00/5 verw Ew prot
0F 01:C0 enclv - never
np 0F 01:C1 vmcall - vmx
np 0F 01:C2 vmlaunch - vmx
np 0F 01:C3 vmresume - vmx
np 0F 01:C4 vmxoff - vmx
np 0F 01:C8 monitor - monitor
np 0F 01:C9 mwait - monitor
np 0F 01:CA clac - smap
np 0F 01:CB stac - smap
np 0F 01:D0 xgetbv - xsave
np 0F 01:D1 xsetbv - xsave
np 0F 01:D4 vmfunc - vmx
0F 01:D8 vmrun - svm
0F 01:D9 vmmcall - svm
0F 01:DA vmload - svm
0F 01:DB vmsave - svm
0F 01:DC stgi - svm
0F 01:DD clgi - svm
0F 01:DE skinit - svm
0F 01:DF invlpga - svm
np 0F 01:E8 serialize - serialize
0F 01:F8 swapgs - o64
0F 01:F9 rdtscp - rdtscp
0F 01/0:m sgdt Ms
0F 01/1:m sidt Ms
0F 01/2:m lgdt Ms
0F 01/3:m lidt Ms
0F 01/4 smsw Esv
0F 01/6 lmsw Ew
0F 01/7:m invlpg Mb
0F 02 lar Gv,Esw prot
0F 03 lsl Gv,Esw prot
0F 05 syscall
0F 06 clts
0F 07 sysret
0F 08 invd
F3 0F 09 wbnoinvd
0F 09 wbinvd
0F 0B ud2
0F B9 ud1 Gv,Ev
0F FF ud0 Gv,Ev
0F 20 mov Rr,Cr
0F 21 mov Rr,Dr
0F 22 mov Cr,Rr
0F 23 mov Dr,Rr
0F 30 wrmsr
0F 31 rdtsc
0F 32 rdmsr
0F 33 rdpmc
0F 34 sysenter - prot
0F 35 sysexit - prot
0F A2 cpuid
0F AA rsm
np 0F 78 vmread Eq,Gq vmx
np 0F 79 vmwrite Gq,Eq vmx
np 0F C7/6:m vmptrld Mq vmx
66 0F C7/6:m vmclear Mq vmx
F3 0F C7/6:m vmxon Mq vmx
np 0F C7/7:m vmptrst Mq vmx
66 0F 38 80:m invept Gq,Mdq vmx
66 0F 38 81:m invvpid Gq,Mdq vmx
66 0F 38 82:m invpcid Gq,Mdq invpcid
F3 0F AE/0:r rdfsbase Ry fsgsbase o64
F3 0F AE/1:r rdgsbase Ry fsgsbase o64
F3 0F AE/2:r wrfsbase Ry fsgsbase o64
F3 0F AE/3:r wrgsbase Ry fsgsbase o64
np 0F AE/0:m fxsave M fxsr 512
np 0F AE/1:m fxrstor M fxsr 512
np 0F AE/2:m ldmxcsr Md sse
np 0F AE/3:m stmxcsr Md sse
np 0F AE/4:m xsave M xsave
np 0F AE/5:m xrstor M xsave
np 0F AE/6:m xsaveopt M xsaveopt
np 0F C7/3:m xrstors M xsaves
np 0F C7/4:m xsavec M xsavec
np 0F C7/5:m xsaves M xsaves
`;
