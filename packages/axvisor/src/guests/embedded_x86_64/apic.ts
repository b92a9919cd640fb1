/** Interrupt controllers and timers of the embedded kernel for PCs: local APIC (SDM vol. 3, chapter 11), I/O APIC, time stamp counter. */

export const text: string = String.raw`
        .equ    APIC_BASE, 0xfee00000
        .equ    APIC_ID, 0x20
        .equ    APIC_EOI, 0xb0
        .equ    APIC_SPURIOUS, 0xf0
        .equ    APIC_COMMAND, 0x300
        .equ    APIC_DESTINATION, 0x310
        .equ    APIC_LVT_TIMER, 0x320
        .equ    APIC_INITIAL_COUNT, 0x380
        .equ    APIC_CURRENT_COUNT, 0x390
        .equ    APIC_DIVIDE, 0x3e0
        .equ    APIC_MASKED, 0x10000
        .equ    APIC_PERIODIC, 0x20000
        .equ    APIC_BUSY, 0x1000
        .equ    COMMAND_INIT, 0x4500
        .equ    COMMAND_STARTUP, 0x4600
        .equ    COMMAND_FIXED, 0x4000
        .equ    IO_APIC_DATA, 0x10
        .equ    IO_APIC_REDIRECTION, 0x10       # register of the first entry
        .equ    PM_TIMER_HZ, 3579545
        .equ    PM_TIMER_MASK, 0xffffff
        .equ    CALIBRATION, PM_TIMER_HZ / 200

        # Returns the record of the CPU that executes this, or 0.
find_own_record:
        mov     eax, APIC_BASE
        mov     edx, [rax + APIC_ID]
        shr     edx, 24
        lea     rax, [rip + cpus]
        mov     rcx, [rip + cpu_count]
.Lfind: test    rcx, rcx
        jz      .Lunknown
        cmp     [rax + CPU_ID], rdx
        je      .Lfound
        add     rax, CPU_SIZE
        dec     rcx
        jmp     .Lfind
.Lunknown:
        xor     eax, eax
.Lfound:
        ret

        # The pair of 8259s is not used.
apic_init:
        mov     al, 0xff
        out     0x21, al
        out     0xa1, al
apic_cpu_init:
        mov     eax, APIC_BASE
        mov     dword ptr [rax + APIC_SPURIOUS], 0x100 | VECTOR_SPURIOUS
        ret

        # edi: interrupt of the I/O APIC, esi: vector; to this CPU, on an edge
io_apic_route:
        mov     rax, [rip + io_apic]
        lea     edx, [rdi + rdi + IO_APIC_REDIRECTION + 1]
        mov     [rax], edx
        mov     rcx, [r15 + CPU_ID]
        shl     ecx, 24
        mov     [rax + IO_APIC_DATA], ecx
        dec     edx
        mov     [rax], edx
        mov     [rax + IO_APIC_DATA], esi
        ret

        # rdi: record of the CPU, esi: command
apic_send:
        pushfq
        cli
        mov     eax, APIC_BASE
.Lbusy: test    dword ptr [rax + APIC_COMMAND], APIC_BUSY
        jnz     .Lbusy
        mov     rcx, [rdi + CPU_ID]
        shl     ecx, 24
        mov     [rax + APIC_DESTINATION], ecx
        mov     [rax + APIC_COMMAND], esi
        popfq
        ret

        # rdi: record of the CPU to interrupt
apic_ping:
        mov     esi, COMMAND_FIXED | VECTOR_PING
        jmp     apic_send

        # Measures both counters and has the first CPU take a tick ten times a second.
timer_init:
        push    rbx
        mov     ebx, APIC_BASE
        mov     dword ptr [rbx + APIC_DIVIDE], 11      # by 1
        mov     dword ptr [rbx + APIC_LVT_TIMER], APIC_MASKED
        # Once more, when nothing is done for the first time.
        call    calibrate
        call    calibrate
        mov     rax, [rip + apic_timer_hz]
        xor     edx, edx
        mov     ecx, 10
        div     rcx
        mov     dword ptr [rbx + APIC_LVT_TIMER], APIC_PERIODIC | VECTOR_TIMER
        mov     [rbx + APIC_INITIAL_COUNT], eax
        pop     rbx
        ret

        # Counts for 5 ms or a little more of the power management timer. rbx: local APIC
calibrate:
        push    rbp
        mov     dword ptr [rbx + APIC_INITIAL_COUNT], 0xffffffff
        mov     edx, [rip + pm_timer]
        in      eax, dx
        mov     ecx, eax
        call    read_counter
        mov     rbp, rax
        # A look at the timer costs more than some turns of a loop.
.Lcalibrate:
        mov     edx, 1000
.Lspin: dec     edx
        jnz     .Lspin
        mov     edx, [rip + pm_timer]
        in      eax, dx
        sub     eax, ecx
        and     eax, PM_TIMER_MASK
        cmp     eax, CALIBRATION
        jb      .Lcalibrate
        mov     ecx, eax
        call    read_counter
        mov     esi, [rbx + APIC_CURRENT_COUNT]
        sub     rax, rbp
        call    per_second
        mov     [rip + tsc_hz], rax
        mov     eax, esi
        not     eax
        call    per_second
        mov     [rip + apic_timer_hz], rax
        pop     rbp
        ret

        # rax: a count, rcx: ticks of the power management timer meanwhile
per_second:
        mov     edx, PM_TIMER_HZ
        mul     rdx
        div     rcx
        ret

read_counter:
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        ret

        # rdi: microseconds to wait
delay:
        mov     rax, [rip + tsc_hz]
        mul     rdi
        mov     ecx, 1000000
        div     rcx
        mov     rcx, rax
        call    read_counter
        add     rcx, rax
.Ldelay:
        pause
        call    read_counter
        cmp     rax, rcx
        jb      .Ldelay
        ret
`;
