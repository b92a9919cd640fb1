/**
 * Arithmetic flags that instructions read, write and leave undefined (SDM vol. 1, appendix A; the instruction pages), by the letters
 * o s z a p c. What is undefined for some operands only is a remark of the table's user.
 */
import { Flag } from '../state.ts';

/** Masks of RFLAGS. */
export interface FlagUse {
  readonly read: number;
  readonly written: number;
  readonly undefined: number;
}

const LETTERS: Readonly<Record<string, number>> = { o: Flag.OF, s: Flag.SF, z: Flag.ZF, a: Flag.AF, p: Flag.PF, c: Flag.CF };
const mask = (letters: string | undefined): number => [...(letters ?? '')].reduce((all, letter) => all | (LETTERS[letter] ?? 0), 0);

/** Names, then w: written, r: read, u: undefined. */
const TABLE = `
add sub cmp neg xadd cmpxchg cmps scas : w=oszapc
adc sbb : w=oszapc r=c
and or xor test : w=oszpc u=a
inc dec : w=oszap
shl shr sar shld shrd : w=oszpc u=a
rol ror : w=oc
rcl rcr : w=oc r=c
mul imul : w=oc u=szap
div idiv : u=oszapc
bt bts btr btc : w=c u=osap
bsf bsr : w=z u=osapc
tzcnt lzcnt : w=zc u=osap
popcnt : w=oszapc
bextr : w=ozc u=sap
blsr blsi blsmsk bzhi andn : w=oszc u=ap
adcx : w=c r=c
adox : w=o r=o
daa das : w=szapc u=o r=ac
aaa aas : w=ac u=oszp r=a
aam aad : w=szp u=oac
clc stc : w=c
cmc : w=c r=c
sahf : w=szapc
lahf : r=szapc
pushf : r=oszapc
popf : w=oszapc
cmpxchg8b cmpxchg16b : w=z
salc : r=c
loope loopne : r=z
seto cmovo jo setno cmovno jno : r=o
setb cmovb jb setae cmovae jae : r=c
sete cmove je setne cmovne jne : r=z
setbe cmovbe jbe seta cmova ja : r=cz
sets cmovs js setns cmovns jns : r=s
setp cmovp jp setnp cmovnp jnp : r=p
setl cmovl jl setge cmovge jge : r=so
setle cmovle jle setg cmovg jg : r=soz
comiss comisd ucomiss ucomisd vcomiss vcomisd vucomiss vucomisd ptest vptest vtestps vtestpd pcmpestri pcmpestrm pcmpistri pcmpistrm
vpcmpestri vpcmpestrm vpcmpistri vpcmpistrm : w=oszapc
fcomi fcomip fucomi fucomip : w=zpc
fcmovb fcmovnb : r=c
fcmove fcmovne : r=z
fcmovbe fcmovnbe : r=cz
fcmovu fcmovnu : r=p
rdrand rdseed : w=oszapc
arpl verr verw lar lsl : w=z
`;

const uses = new Map<string, FlagUse>();
for (const [, names, letters] of TABLE.matchAll(/([\w\s]+?) : ((?:[wru]=\w+ ?)+)/g)) {
  const part = (kind: string): number => mask(new RegExp(`${kind}=(\\w+)`).exec(letters as string)?.[1]);
  for (const name of (names as string).trim().split(/\s+/)) uses.set(name, { read: part('r'), written: part('w'), undefined: part('u') });
}

const NONE: FlagUse = { read: 0, written: 0, undefined: 0 };

/** Flags that instructions of a name use. */
export const flagUse = (name: string): FlagUse => uses.get(name) ?? NONE;
