/**
 * The stress guest for PCs: locked operations of every kind, locks, interprocessor interrupts by physical and logical destination and by
 * shorthand, NMIs, timers that end HLT, code that others rewrite, page tables that others change, first touches, and a clock that must not go back.
 */
import { assemble } from '@axvisor/softcpu_x86/asm';
import { FAILURES, type StressOptions } from './guest.ts';

/** Where its multiboot header says it goes. */
const BASE = 0x10_0000n;

const failure = (what: string): number => FAILURES.indexOf(what);
/** Ends the run for a reason if the flags say so. */
const failIf = (condition: string, what: string): string => `        mov     r11d, ${failure(what)}\n        j${condition}      fail`;

const SAVED = ['rax', 'rcx', 'rdx', 'rsi', 'rdi'] as const;
const push = SAVED.map((register) => `        push    ${register}`).join('\n');
const pop = SAVED.toReversed().map((register) => `        pop     ${register}`).join('\n');
const END_OF_INTERRUPT = `        mov     ecx, X2APIC_EOI
        xor     eax, eax
        xor     edx, edx
        wrmsr
${pop}
        iretq`;

const EXCEPTIONS = 32;
const WITH_ERROR: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
const exceptionEntries = Array.from({ length: EXCEPTIONS }, (_, vector) =>
  ['        .balign 16, 0xcc', ...(WITH_ERROR.has(vector) ? [] : ['        push    0']), `        push    ${vector}`, '        jmp     unexpected'].join('\n'),
).join('\n');

/*
 * r15: number of the CPU; r14: its record; r13: random state; r12: rounds; rbp: end of the run. r11d: what a failure would be.
 */
const PROGRAM = String.raw`
        .equ    SECOND, 1000000000
        .equ    PATIENCE, 20 * SECOND
        .equ    BIG, 0x08000000         # touched page by page
        .equ    BIG_PAGES, 0x4000
        .equ    BUFFERS, 0x0c000000     # 64 KiB for each CPU
        .equ    WINDOW, 0x40000000      # linear page that is remapped
        .equ    TRAMPOLINE, 0x8000
        .equ    SELECTOR_CODE32, 8
        .equ    SELECTOR_DATA, 16
        .equ    SELECTOR_CODE64, 24
        .equ    VECTOR_WORK, 0x40
        .equ    VECTOR_FLUSH, 0x41
        .equ    VECTOR_TIMER, 0x42
        .equ    X2APIC_ID, 0x802
        .equ    X2APIC_EOI, 0x80b
        .equ    X2APIC_SPURIOUS, 0x80f
        .equ    X2APIC_COMMAND, 0x830
        .equ    X2APIC_TIMER, 0x832
        .equ    TSC_DEADLINE, 0x6e0
        .equ    REC_SHIFT, 9
        .equ    R_FIRED, 0
        .equ    R_AMO, 8
        .equ    R_CAS, 16
        .equ    R_TOUCH, 24
        .equ    R_ROUNDS, 32
        .equ    R_IPIS, 40
        .equ    R_TIMERS, 48
        .equ    R_SENT, 64              # by CPU: requests to it
        .equ    R_ACKED, 192            # by CPU: of its requests the last one seen here
        .equ    R_PAIR, 320
        .equ    R_SPLIT, 328
        .equ    R_NMIS, 336
        .code32
image:  .long   0x1badb002, 0x10000, 0 - 0x1badb002 - 0x10000
        .long   image, image, image_end, image_end, start
start:  mov     edi, offset directory
        mov     eax, 0x83
.Lstart_1:
        mov     [edi], eax
        add     edi, 8
        add     eax, 0x200000
        cmp     eax, WINDOW
        jb      .Lstart_1
        mov     dword ptr [leaves], offset targets + 3
        mov     dword ptr [window_directory], offset leaves + 3
        mov     dword ptr [pointers], offset directory + 3
        mov     dword ptr [pointers + 8], offset window_directory + 3
        mov     dword ptr [root], offset pointers + 3
        mov     esp, offset stacks + 4096
        mov     ebx, offset first

enter_long_mode:
        mov     eax, 0x20               # CR4.PAE
        mov     cr4, eax
        mov     eax, offset root
        mov     cr3, eax
        mov     ecx, 0xc0000080         # IA32_EFER.LME
        mov     eax, 0x100
        xor     edx, edx
        wrmsr
        mov     eax, 0x80010033         # CR0: PG, WP, NE, ET, MP, PE
        mov     cr0, eax
        lgdt    [gdt_register]
        push    SELECTOR_CODE64
        push    offset in_long_mode
        retf
        .code64
in_long_mode:
        mov     eax, SELECTOR_DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        jmp     rbx

first:  mov     al, 0xff                # no interrupts of the 8259s
        out     0x21, al
        out     0xa1, al
        lea     rax, [rip + exceptions]
        xor     edi, edi
.Lfirst_2:
        call    gate
        add     rax, 16
        inc     edi
        cmp     edi, ${EXCEPTIONS}
        jb      .Lfirst_2
        lea     rax, [rip + nmi]
        mov     edi, 2
        call    gate
        lea     rax, [rip + work_interrupt]
        mov     edi, VECTOR_WORK
        call    gate
        lea     rax, [rip + flush_interrupt]
        mov     edi, VECTOR_FLUSH
        call    gate
        lea     rax, [rip + timer_interrupt]
        mov     edi, VECTOR_TIMER
        call    gate
        lea     rax, [rip + spurious_interrupt]
        mov     edi, 0xff
        call    gate
        lea     rsi, [rip + trampoline]
        mov     edi, TRAMPOLINE
        mov     ecx, trampoline_end - trampoline
        rep movsb
        call    now
        mov     rcx, SECONDS * SECOND
        add     rax, rcx
        mov     [rip + end_time], rax
        call    cpu_init
        mov     eax, 0xc4500            # INIT to all others
        xor     edx, edx
        call    command
        call    now
        lea     rdi, [rax + 10000000]
.Lfirst_3:
        call    now
        cmp     rax, rdi
        jb      .Lfirst_3
        mov     eax, 0xc4600 | TRAMPOLINE >> 12
        xor     edx, edx
        call    command
        jmp     all

        .code16
trampoline:
        cli
        xor     ax, ax
        mov     ds, ax
        lgdt    [TRAMPOLINE + trampoline_gdt - trampoline]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        .byte   0x66, 0xea              # far, with an offset of 32 bits
        .long   secondary
        .word   SELECTOR_CODE32
trampoline_gdt:
        .word   31
        .long   gdt
trampoline_end:
        .code32
secondary:
        mov     eax, SELECTOR_DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     eax, 1
        lock xadd [arrivals], eax       # a stack until the CPU knows its number
        shl     eax, 7
        lea     esp, [eax + small_stacks + 128]
        mov     ebx, offset secondary_long
        jmp     enter_long_mode
        .code64
secondary_long:
        call    cpu_init
all:    mov     rbp, [rip + end_time]
        lea     rdi, [rip + started]
        call    barrier
        sti

round:  inc     r12
        call    now
        cmp     rax, rbp
        jae     finish
        cmp     qword ptr [rip + failed], 0
        jne     halt
        call    random
        mov     ecx, eax
        and     ecx, 15
        lea     rdx, [rip + jumps]
        jmp     qword ptr [rdx + 8 * rcx]

do_amo: mov     ecx, 64
        mov     edx, 1
.Ldo_amo_1:
        lock inc qword ptr [rip + amo]
        mov     eax, 1
        lock xadd [rip + amo], rax
        lock add qword ptr [rip + amo], 1
        lock sub dword ptr [rip + amo], -1
        lock btc qword ptr [rip + toggled], rcx
        dec     ecx
        jnz     .Ldo_amo_1
        add     qword ptr [r14 + R_AMO], 256
        jmp     round

do_cas: mov     ecx, 64
.Ldo_cas_1:
        mov     rax, [rip + cas]
.Ldo_cas_2:
        lea     rdx, [rax + 1]
        lock cmpxchg [rip + cas], rdx
        jnz     .Ldo_cas_2
        dec     ecx
        jnz     .Ldo_cas_1
        add     qword ptr [r14 + R_CAS], 64
        jmp     round

        # Two words that are equal whenever they are looked at together.
do_pair:
        mov     edi, 32
.Ldo_pair_1:
        mov     rax, [rip + pair]
        mov     rdx, [rip + pair + 8]
.Ldo_pair_2:
        lea     rbx, [rax + 1]
        lea     rcx, [rdx + 1]
        lock cmpxchg16b [rip + pair]
        jnz     .Ldo_pair_2
        cmp     rax, rdx
${failIf('ne', 'data under a lock')}
        mov     rax, [rip + narrow_pair]
        mov     rdx, rax
        shr     rdx, 32
.Ldo_pair_3:
        mov     eax, eax
        lea     ebx, [rax + 1]
        lea     ecx, [rdx + 1]
        lock cmpxchg8b [rip + narrow_pair]
        jnz     .Ldo_pair_3
        cmp     eax, edx
${failIf('ne', 'data under a lock')}
        # One word by exchanges of both, the other by what touches it alone.
        mov     rax, [rip + mixed_pair]
        mov     rdx, [rip + mixed_pair + 8]
.Ldo_pair_4:
        lea     rbx, [rax + 1]
        mov     rcx, rdx
        lock cmpxchg16b [rip + mixed_pair]
        jnz     .Ldo_pair_4
        lock inc qword ptr [rip + mixed_pair + 8]
        # A byte that only this CPU writes, in a word of which all exchange others.
        inc     byte ptr [r15 + shared_word]
        mov     r8b, [r15 + shared_word]
        lock inc word ptr [rip + shared_word + 7]
        cmp     r8b, [r15 + shared_word]
${failIf('ne', 'data under a lock')}
        # What an exchange that fails would have put there is never seen.
        mov     eax, 0
        mov     edx, 1
        mov     ebx, 2
        mov     ecx, 2
        lock cmpxchg16b [rip + steady_pair]
        mov     rax, [rip + steady_pair]
        or      rax, [rip + steady_pair + 8]
${failIf('ne', 'data under a lock')}
        dec     edi
        jnz     .Ldo_pair_1
        add     qword ptr [r14 + R_PAIR], 32
        jmp     round

        # Operands that cross words and pages.
do_split:
        mov     ecx, 16
.Ldo_split_1:
        lock inc dword ptr [rip + split_word + 6]
        mov     eax, 1
        lock xadd [rip + split_page + 4093], rax
        mov     rax, [rip + split_page + 4093]
.Ldo_split_2:
        dec     ecx
        jnz     .Ldo_split_1
        add     qword ptr [r14 + R_SPLIT], 16
        jmp     round

        # Words that are equal whenever nobody holds the lock, and the time at which somebody last did.
do_locked:
        lea     rdi, [rip + data_lock]
        call    take
        mov     rax, [rip + equal]
        cmp     rax, [rip + equal + 8]
${failIf('ne', 'data under a lock')}
        cmp     rax, [rip + equal + 1024]
        jne     fail
        cmp     rax, [rip + equal + 1032]
        jne     fail
        xor     rax, r13
        mov     [rip + equal], rax
        mov     [rip + equal + 1032], rax
        mov     [rip + equal + 8], rax
        mov     [rip + equal + 1024], rax
        call    now
        cmp     rax, [rip + last_time]
${failIf('b', 'time that goes back')}
        mov     [rip + last_time], rax
        lea     rdi, [rip + data_lock]
        call    give
        jmp     round

        # To one CPU, and wait for it.
do_ipi: call    other
        cmp     rax, r15
        je      round
        mov     rdi, rax
        inc     qword ptr [r14 + R_SENT + 8 * rax]
        mfence
        mov     edx, edi
        mov     eax, 0x4000 | VECTOR_WORK
        call    command
        call    await_acks
        jmp     round

        # To any set of CPUs, by logical destination; that all of them come is seen to later.
do_set: call    random
        mov     ecx, HARTS
        mov     edi, 1
        shl     edi, cl
        dec     edi
        and     edi, eax
        mov     ecx, r15d
        btr     edi, ecx
        xor     ecx, ecx
.Ldo_set_1:
        bt      edi, ecx
        jnc     .Ldo_set_2
        inc     qword ptr [r14 + R_SENT + 8 * rcx]
.Ldo_set_2:
        inc     ecx
        cmp     ecx, HARTS
        jb      .Ldo_set_1
        mfence
        mov     edx, edi
        mov     eax, 0x4800 | VECTOR_WORK
        call    command
        jmp     round

do_all: xor     ecx, ecx
.Ldo_all_1:
        cmp     rcx, r15
        je      .Ldo_all_2
        inc     qword ptr [r14 + R_SENT + 8 * rcx]
.Ldo_all_2:
        inc     ecx
        cmp     ecx, HARTS
        jb      .Ldo_all_1
        mfence
        mov     eax, 0xc4000 | VECTOR_WORK
        xor     edx, edx
        call    command
        jmp     round

        # One at a time: NMIs that come together are one.
do_nmi: call    other
        cmp     rax, r15
        je      round
        mov     rbx, rax
        lea     rdi, [rip + nmi_lock]
        call    take
        mov     rsi, rbx
        shl     rsi, REC_SHIFT
        lea     rax, [rip + records]
        add     rsi, rax
        mov     r8, [rsi + R_NMIS]
        mov     edx, ebx
        mov     eax, 0x4400
        call    command
        call    now
        mov     rcx, PATIENCE
        lea     r9, [rax + rcx]
.Ldo_nmi_1:
        cmp     [rsi + R_NMIS], r8
        jne     .Ldo_nmi_2
        pause
        call    now
        cmp     rax, r9
        jb      .Ldo_nmi_1
        cmp     rax, rax
${failIf('e', 'lost NMI')}
.Ldo_nmi_2:
        lea     rdi, [rip + nmi_lock]
        call    give
        jmp     round

        # One of 8 functions is rewritten, or called behind an instruction that serializes.
do_code:
        lea     rdi, [rip + code_lock]
        call    take
        call    random
        mov     ebx, eax
        and     ebx, 7
        shl     ebx, 6
        lea     rdi, [rip + code]
        add     rdi, rbx
        shr     ebx, 3
        lea     rsi, [rip + code_values]
        add     rsi, rbx
        test    eax, 0x300
        jnz     .Ldo_code_1
        mov     [rdi + 1], eax
        mov     [rsi], eax
        jmp     .Ldo_code_4
.Ldo_code_1:
        test    eax, 0x400
        jz      .Ldo_code_2
        push    rdi
        push    rsi
        xor     eax, eax
        cpuid
        pop     rsi
        pop     rdi
        jmp     .Ldo_code_4
.Ldo_code_2:
        mov     rcx, rsp
        push    SELECTOR_DATA
        push    rcx
        pushfq
        push    SELECTOR_CODE64
        lea     rax, [rip + .Ldo_code_4]
        push    rax
        iretq
.Ldo_code_4:
        call    rdi
        cmp     eax, [rsi]
${failIf('ne', 'stale code')}
        lea     rdi, [rip + code_lock]
        call    give
        jmp     round

        # The window is remapped and all others are told, or it is looked through.
do_remap:
        lea     rdi, [rip + map_lock]
        call    take
        call    random
        test    eax, 3
        jnz     .Ldo_remap_2
        xor     qword ptr [rip + mapped], 1
        mov     rax, [rip + mapped]
        shl     rax, 12
        lea     rcx, [rip + targets + 3]
        add     rax, rcx
        mov     [rip + leaves], rax
        mov     ecx, WINDOW
        invlpg  [rcx]
        mov     qword ptr [rip + flushed], 1
        mfence
        mov     eax, 0xc4000 | VECTOR_FLUSH
        xor     edx, edx
        call    command
        call    now
        mov     rcx, PATIENCE
        lea     r9, [rax + rcx]
.Ldo_remap_1:
        cmp     qword ptr [rip + flushed], HARTS
        je      .Ldo_remap_2
        pause
        call    now
        cmp     rax, r9
${failIf('ae', 'lost interprocessor interrupt')}
        jmp     .Ldo_remap_1
.Ldo_remap_2:
        mov     ecx, WINDOW
        mov     rax, [rcx]
        cmp     rax, [rip + mapped]
${failIf('ne', 'stale translation')}
        lea     rdi, [rip + map_lock]
        call    give
        jmp     round

        # A page of the CPU's own: written, then read again.
do_buffer:
        call    random
        mov     edi, eax
        and     edi, 0xf000
        mov     rcx, r15
        shl     ecx, 16
        lea     edi, [rdi + rcx + BUFFERS]
        mov     rdx, r13
        xor     ecx, ecx
.Ldo_buffer_1:
        mov     [rdi + 8 * rcx], rdx
        add     rdx, rax
        inc     ecx
        cmp     ecx, 512
        jb      .Ldo_buffer_1
        mov     rdx, r13
        xor     ecx, ecx
.Ldo_buffer_2:
        cmp     [rdi + 8 * rcx], rdx
${failIf('ne', 'memory')}
        add     rdx, rax
        inc     ecx
        cmp     ecx, 512
        jb      .Ldo_buffer_2
        jmp     round

        # 64 pages anywhere in the big memory.
do_touch:
        mov     ebx, 64
.Ldo_touch_1:
        call    random
        and     eax, BIG_PAGES - 1
        shl     eax, 12
        lock inc qword ptr [rax + BIG]
        dec     ebx
        jnz     .Ldo_touch_1
        add     qword ptr [r14 + R_TOUCH], 64
        jmp     round

        # Sleeps until a timer is due, at most 8 ms; other interrupts end HLT too.
do_timer:
        call    random
        mov     ebx, eax
        and     ebx, 0x7fffff
        mov     qword ptr [r14 + R_FIRED], 0
        call    now
        add     rax, rbx
        mov     rcx, PATIENCE
        lea     r9, [rax + rcx]
        mov     rdx, rax
        shr     rdx, 32
        mov     ecx, TSC_DEADLINE
        wrmsr
.Ldo_timer_1:
        cli
        cmp     qword ptr [r14 + R_FIRED], 0
        jne     .Ldo_timer_2
        sti
        hlt
        call    now
        cmp     rax, r9
${failIf('ae', 'lost timer interrupt')}
        jmp     .Ldo_timer_1
.Ldo_timer_2:
        sti
        jmp     round

        # ── done ──
finish: mov     [r14 + R_ROUNDS], r12
        mov     r11d, ${failure('hart not done')}
        lea     rdi, [rip + done]
        call    barrier
        call    await_acks
        mov     r11d, ${failure('hart not done')}
        lea     rdi, [rip + acknowledged]
        call    barrier
        test    r15, r15
        jnz     halt
        mov     edi, R_AMO
        call    sum
        cmp     rax, [rip + amo]
${failIf('ne', 'sum of AMOs')}
        mov     edi, R_CAS
        call    sum
        cmp     rax, [rip + cas]
${failIf('ne', 'sum of LR/SC')}
        mov     edi, R_PAIR
        call    sum
        cmp     rax, [rip + pair]
${failIf('ne', 'sum of pairs')}
        cmp     rax, [rip + pair + 8]
        jne     fail
        cmp     eax, dword ptr [rip + narrow_pair]
        jne     fail
        cmp     eax, dword ptr [rip + narrow_pair + 4]
        jne     fail
        cmp     rax, [rip + mixed_pair]
        jne     fail
        cmp     rax, [rip + mixed_pair + 8]
        jne     fail
        cmp     ax, [rip + shared_word + 7]
        jne     fail
        mov     edi, R_SPLIT
        call    sum
        cmp     eax, dword ptr [rip + split_word + 6]
${failIf('ne', 'sum of split locks')}
        cmp     rax, [rip + split_page + 4093]
        jne     fail
        mov     edi, R_TOUCH
        call    sum
        mov     ecx, BIG_PAGES
        mov     edx, BIG
.Lfinish_1:
        sub     rax, [rdx]
        add     edx, 4096
        dec     ecx
        jnz     .Lfinish_1
        test    rax, rax
${failIf('nz', 'sum of first touches')}
        lea     rsi, [rip + passed_text]
        call    say
        mov     ebx, R_ROUNDS
.Lfinish_2:
        mov     edi, ebx
        call    sum
        call    say_hex
        add     ebx, 8
        cmp     ebx, R_TIMERS
        jbe     .Lfinish_2
        mov     al, 10
        call    put
off:    mov     edx, 0x604              # PM1a control: sleep state S5
        mov     eax, 0x2000
        out     dx, ax
halt:   cli
.Lhalt_1:
        hlt
        jmp     .Lhalt_1

unexpected:
        mov     r10, [rsp]              # vector
        mov     rbx, [rsp + 16]         # RIP
        mov     r11d, ${failure('unexpected trap')}
        # The reason is r11d.
fail:   cli
        mov     eax, 1
        xchg    [rip + failed], rax
        test    rax, rax
        jnz     halt
        lea     rsi, [rip + failed_text]
        call    say
        mov     eax, r11d
        call    say_hex
        mov     rax, r15
        call    say_hex
        mov     rax, r10
        call    say_hex
        mov     rax, rbx
        call    say_hex
        mov     al, 10
        call    put
        jmp     off

        # ── parts ──
        # Changes no register but rax, rdx.
now:    lfence
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        ret

random: mov     rax, r13
        shl     rax, 13
        xor     r13, rax
        mov     rax, r13
        shr     rax, 7
        xor     r13, rax
        mov     rax, r13
        shl     rax, 17
        xor     r13, rax
        mov     rax, 0x2545f4914f6cdd1d
        imul    rax, r13
        shr     rax, 24
        ret

        # Any CPU.
other:  call    random
        shr     rax, 8
        xor     edx, edx
        mov     ecx, HARTS
        div     rcx
        mov     rax, rdx
        ret

        # edx: destination, eax: command
command:
        mov     ecx, X2APIC_COMMAND
        wrmsr
        ret

take:   mov     eax, 1
        xchg    [rdi], eax
        test    eax, eax
        jz      .Ltake_2
.Ltake_1:
        pause
        cmp     dword ptr [rdi], 0
        jne     .Ltake_1
        jmp     take
.Ltake_2:
        ret
give:   mov     dword ptr [rdi], 0
        ret

barrier:
        lock inc qword ptr [rdi]
        call    now
        mov     rcx, PATIENCE
        lea     r9, [rax + rcx]
.Lbarrier_1:
        cmp     qword ptr [rdi], HARTS
        je      .Lbarrier_2
        pause
        call    now
        cmp     rax, r9
        jae     fail
        jmp     .Lbarrier_1
.Lbarrier_2:
        ret

        # Waits until all requests of this CPU have been seen.
await_acks:
        call    now
        mov     rcx, PATIENCE
        lea     r9, [rax + rcx]
        xor     ecx, ecx
        lea     rsi, [rip + records]
.Lawait_acks_1:
        mov     rax, [r14 + R_SENT + 8 * rcx]
        cmp     [rsi + 8 * r15 + R_ACKED], rax
        je      .Lawait_acks_2
        pause
        call    now
        cmp     rax, r9
${failIf('ae', 'lost interprocessor interrupt')}
        jmp     .Lawait_acks_1
.Lawait_acks_2:
        add     rsi, 1 << REC_SHIFT
        inc     ecx
        cmp     ecx, HARTS
        jb      .Lawait_acks_1
        ret

        # Field edi of all records.
sum:    lea     rdx, [rip + records]
        add     rdx, rdi
        mov     ecx, HARTS
        xor     eax, eax
.Lsum_1:
        add     rax, [rdx]
        add     rdx, 1 << REC_SHIFT
        dec     ecx
        jnz     .Lsum_1
        ret

        # al
put:    mov     cl, al
        mov     edx, 0x3fd
.Lput_1:
        in      al, dx
        test    al, 0x20
        jz      .Lput_1
        mov     edx, 0x3f8
        mov     al, cl
        out     dx, al
        ret
        # At rsi.
say:    lodsb
        test    al, al
        jz      .Lsay_1
        call    put
        jmp     say
.Lsay_1:
        ret
        # rax
say_hex:
        mov     rsi, rax
        mov     al, 32
        call    put
        mov     edi, 16
.Lsay_hex_1:
        rol     rsi, 4
        mov     eax, esi
        and     eax, 15
        add     al, 48
        cmp     al, 57
        jbe     .Lsay_hex_2
        add     al, 39
.Lsay_hex_2:
        call    put
        dec     edi
        jnz     .Lsay_hex_1
        ret

        # edi: vector, rax: handler
gate:   lea     rdx, [rip + idt]
        mov     ecx, edi
        shl     ecx, 4
        add     rdx, rcx
        mov     [rdx], ax
        mov     word ptr [rdx + 2], SELECTOR_CODE64
        mov     word ptr [rdx + 4], 0x8e00
        mov     rcx, rax
        shr     rcx, 16
        mov     [rdx + 6], cx
        shr     rcx, 16
        mov     [rdx + 8], rcx
        ret

        # Registers, stack and local APIC of this CPU.
cpu_init:
        pop     rbx
        mov     ecx, 0x1b               # IA32_APIC_BASE: x2APIC
        rdmsr
        or      eax, 0xc00
        wrmsr
        mov     ecx, X2APIC_ID
        rdmsr
        mov     r15d, eax
        mov     r14, r15
        shl     r14, REC_SHIFT
        lea     rax, [rip + records]
        add     r14, rax
        lea     rsp, [r15 + 1]
        shl     rsp, 12
        lea     rax, [rip + stacks]
        add     rsp, rax
        mov     ecx, X2APIC_SPURIOUS
        mov     eax, 0x1ff
        xor     edx, edx
        wrmsr
        mov     ecx, X2APIC_TIMER
        mov     eax, 0x40000 | VECTOR_TIMER
        wrmsr
        lidt    [rip + idt_register]
        mov     rax, 0x9e3779b97f4a7c15
        lea     r13, [r15 + 1]
        imul    r13, rax
        mov     rax, SEED
        xor     r13, rax
        xor     r12d, r12d
        jmp     rbx

        # ── interrupts ──
work_interrupt:
${push}
        inc     qword ptr [r14 + R_IPIS]
        lea     rsi, [rip + records]
        lea     rsi, [rsi + 8 * r15 + R_SENT]
        xor     ecx, ecx
.Lwork_interrupt_1:
        mov     rax, [rsi]
        mov     [r14 + R_ACKED + 8 * rcx], rax
        add     rsi, 1 << REC_SHIFT
        inc     ecx
        cmp     ecx, HARTS
        jb      .Lwork_interrupt_1
${END_OF_INTERRUPT}

flush_interrupt:
${push}
        mov     ecx, WINDOW
        invlpg  [rcx]
        lock inc qword ptr [rip + flushed]
${END_OF_INTERRUPT}

timer_interrupt:
${push}
        mov     qword ptr [r14 + R_FIRED], 1
        inc     qword ptr [r14 + R_TIMERS]
${END_OF_INTERRUPT}

nmi:    lock inc qword ptr [r14 + R_NMIS]
spurious_interrupt:
        iretq

exceptions:
${exceptionEntries}

passed_text: .asciz "\nstress passed:"
failed_text: .asciz "\nstress failed:"
        .balign 8, 0
gdt:    .quad   0
        .quad   0x00cf9b000000ffff      # code of 32 bits
        .quad   0x00cf93000000ffff      # data
        .quad   0x00af9b000000ffff      # code of 64 bits
gdt_register:
        .word   31
        .quad   gdt
idt_register:
        .word   4095
        .quad   idt
        .balign 8, 0
jumps:  .quad   do_amo, do_amo, do_cas, do_cas, do_pair, do_split, do_locked, do_locked
        .quad   do_ipi, do_set, do_nmi, do_code, do_remap, do_buffer, do_touch, do_timer
        .balign 4096, 0
        # Functions that return a constant, 64 bytes each.
code:
${Array.from({ length: 8 }, () => '        .byte   0xb8, 0, 0, 0, 0, 0xc3\n        .zero   58').join('\n')}
        .balign 4096, 0
amo:    .zero   64
cas:    .zero   64
pair:   .zero   64
narrow_pair: .zero 64
mixed_pair: .zero 64
steady_pair: .zero 64
shared_word: .zero 64
toggled: .zero  64
split_word: .zero 64
data_lock: .zero 64
code_lock: .zero 64
map_lock: .zero 64
nmi_lock: .zero 64
mapped: .zero   64
flushed: .zero  64
failed: .zero   64
arrivals: .zero 64
started: .zero  64
done:   .zero   64
acknowledged: .zero 64
end_time: .zero 64
last_time: .zero 64
code_values: .zero 64
equal:  .zero   1088
        .balign 4096, 0
split_page: .zero 8192
root:   .zero   4096
pointers: .zero 4096
directory: .zero 4096
window_directory: .zero 4096
leaves: .zero   4096
targets: .quad  0
        .zero   4088
        .quad   1
        .zero   4088
idt:    .zero   4096
records: .zero  512 * HARTS
small_stacks: .zero 128 * HARTS
        .balign 4096, 0
stacks: .zero   4096 * HARTS
image_end:
`;

/** The guest as a multiboot kernel. At most 16 CPUs. */
export function stressGuestX86({ harts, seconds, seed }: StressOptions): Uint8Array {
  return assemble(PROGRAM, { base: BASE, symbols: { HARTS: BigInt(harts), SECONDS: BigInt(seconds), SEED: BigInt(seed) } }).bytes;
}
