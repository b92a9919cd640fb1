/**
 * Entry by multiboot (0.6.96), translation tables, long mode (SDM vol. 3, 10.8.5) and the order of initialisation.
 *
 * The first 4 GiB are mapped as they are, in pages of 2 MiB, and once more in the upper half. The first 2 MiB, with the kernel, have pages of 4 KiB.
 * Nothing is both writable and executable.
 */

const PRESENT = 1;
const WRITABLE = 2;
const UNCACHEABLE = 0x18;
const LARGE = 0x80;
/** Bit 63, in the upper half of an entry. */
const NO_EXECUTE = 0x8000_0000;

export const text: string = String.raw`
        .code32
image:
        .long   0x1badb002, 0x10002, 0 - 0x1badb002 - 0x10002    # memory information is wanted, addresses are given
        .long   image, image, bss_start, kernel_end, start

        # 32-bit protected mode without translation, interrupts masked; ebx: the boot information
start:
        cld
        mov     esp, offset stacks + STACK_SIZE
        mov     edi, offset bss_start
        mov     ecx, offset bss_end + 3
        sub     ecx, edi
        shr     ecx, 2
        xor     eax, eax
        rep stosd
        mov     dword ptr [multiboot_info], ebx
        rdtsc
        mov     dword ptr [boot_time], eax
        mov     dword ptr [boot_time + 4], edx

        # Of 2048 large pages none is executable, and those of the last GiB are of devices.
        mov     edi, offset directories
        mov     eax, ${PRESENT | WRITABLE | LARGE}
.Llarge_page:
        cmp     eax, 0xc0000000
        jb      .Lmemory
        or      eax, ${UNCACHEABLE}
.Lmemory:
        mov     [edi], eax
        mov     dword ptr [edi + 4], ${NO_EXECUTE}
        add     edi, 8
        add     eax, 0x200000
        jnc     .Llarge_page
        mov     eax, offset first_pages
        or      eax, ${PRESENT | WRITABLE}
        mov     dword ptr [directories], eax
        mov     dword ptr [directories + 4], 0

        # The first 2 MiB.
        mov     edi, offset first_pages
        xor     eax, eax
.Lsmall_page:
        mov     edx, ${NO_EXECUTE}
        mov     ecx, ${PRESENT | WRITABLE}
        cmp     eax, offset image
        jb      .Lput
        cmp     eax, offset bss_start
        jae     .Lput
        mov     ecx, ${PRESENT}
        cmp     eax, offset rodata_start
        jae     .Lput
        xor     edx, edx
.Lput:  or      ecx, eax
        mov     [edi], ecx
        mov     [edi + 4], edx
        add     edi, 8
        add     eax, PAGE_SIZE
        cmp     eax, 0x200000
        jb      .Lsmall_page

        mov     edi, offset pointer_table
        mov     eax, offset directories
        or      eax, ${PRESENT | WRITABLE}
        mov     ecx, 4
.Lpointer:
        mov     [edi], eax
        add     edi, 8
        add     eax, PAGE_SIZE
        dec     ecx
        jnz     .Lpointer
        mov     eax, offset pointer_table
        or      eax, ${PRESENT | WRITABLE}
        mov     dword ptr [top_table], eax
        mov     dword ptr [top_table + 2048], eax
        mov     dword ptr [top_table + 2052], ${NO_EXECUTE}
        mov     ebx, offset first_start

        # Enters long mode and goes on at ebx.
enter_long_mode:
        mov     eax, 0x20               # CR4.PAE
        mov     cr4, eax
        mov     eax, offset top_table
        mov     cr3, eax
        mov     ecx, 0xc0000080         # IA32_EFER: LME, NXE
        mov     eax, 0x900
        xor     edx, edx
        wrmsr
        mov     eax, 0x80010033         # CR0: PG, WP, NE, ET, MP, PE
        mov     cr0, eax
        lgdt    [gdt_register]
        push    SELECTOR_CODE64
        push    offset .Lin_long_mode
        retf
        .code64
.Lin_long_mode:
        mov     eax, SELECTOR_DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        jmp     rbx

first_start:
        mov     esp, offset stacks + STACK_SIZE
        lea     r15, [rip + cpus]
        call    traps_init
        lidt    [rip + idt_register]
        call    multiboot_read
        call    acpi_read
        call    find_own_record
        test    rax, rax
        jnz     .Lknown
        lea     rdi, [rip + no_cpu]
        jmp     fatal
.Lknown:
        mov     r15, rax
        mov     [rip + first_cpu], rax
        mov     qword ptr [r15 + CPU_ONLINE], 1
        call    cpu_stack
        mov     rsp, rax
        call    pages_init
        lea     rdi, [rip + banner]
        call    printf
        call    apic_init
        call    console_init
        call    timer_init
        lea     rdi, [rip + machine]
        mov     rsi, [rip + ram_size]
        add     rsi, 0xfffff            # less a little that firmware keeps
        shr     rsi, 20
        mov     rdx, [rip + cpu_count]
        mov     rcx, [r15 + CPU_ID]
        mov     r8, [rip + tsc_hz]
        call    printf
        mov     rsi, [rip + initrd_start]
        mov     rdx, [rip + initrd_end]
        lea     rdi, [rip + no_initrd]
        test    rsi, rsi
        jz      .Lno_initrd
        lea     rdi, [rip + has_initrd]
.Lno_initrd:
        call    printf
        sti
        jmp     shell

        # Takes the end of memory and the first module from the boot information.
multiboot_read:
        mov     rbx, [rip + multiboot_info]
        mov     eax, [rbx + 8]          # KiB above 1 MiB
        shl     rax, 10
        add     rax, 0x100000
        mov     [rip + ram_size], rax
        cmp     dword ptr [rbx + 20], 0
        je      .Lno_module
        mov     ecx, [rbx + 24]
        mov     eax, [rcx]
        mov     [rip + initrd_start], rax
        mov     eax, [rcx + 4]
        mov     [rip + initrd_end], rax
        # Memory for pages ends with the range that has the kernel in it.
.Lno_module:
        mov     ecx, [rbx + 48]
        mov     edx, [rbx + 44]
        add     rdx, rcx
        lea     rsi, [rip + image]
.Lrange:
        cmp     rcx, rdx
        jae     .Lno_range
        mov     rax, rsi
        sub     rax, [rcx + 4]
        cmp     rax, [rcx + 12]
        jae     .Lnext_range
        cmp     dword ptr [rcx + 20], 1
        je      .Lfound_range
.Lnext_range:
        mov     eax, [rcx]
        lea     rcx, [rcx + rax + 4]
        jmp     .Lrange
.Lfound_range:
        mov     rax, [rcx + 4]
        add     rax, [rcx + 12]
        mov     [rip + page_limit], rax
        ret
.Lno_range:
        lea     rdi, [rip + no_memory]
        jmp     fatal

        # Returns the top of the stack of the CPU at r15.
cpu_stack:
        lea     rcx, [rip + cpus]
        mov     rax, r15
        sub     rax, rcx
        shr     rax, CPU_SHIFT
        inc     rax
        imul    rax, rax, STACK_SIZE
        lea     rcx, [rip + stacks]
        add     rax, rcx
        ret

        # rdi: message; the machine goes down.
fatal:
        call    put_string
        call    power_off
.Lhalted:
        cli
        hlt
        jmp     .Lhalted

        # Sleep state S5, which is type 0 here.
power_off:
        mov     edx, [rip + pm_control]
        mov     eax, 0x2000             # SLP_EN
        out     dx, ax
        ret

        # A hard reset of the processors by the chip set's reset control register.
reset_machine:
        mov     edx, 0xcf9
        mov     eax, 6
        out     dx, al
        ret
`;

export const rodata: string = String.raw`
        .balign 8, 0
gdt:    .quad   0
        .quad   0x00cf9b000000ffff      # code of 32 bits
        .quad   0x00cf93000000ffff      # data
        .quad   0x00af9b000000ffff      # code of 64 bits
gdt_register:
        .word   31
        .quad   gdt
idt_register:
        .word   16 * VECTORS - 1
        .quad   idt
banner: .asciz  "axvisor embedded kernel, x86_64\n"
no_cpu: .asciz  "fatal: ACPI does not name the boot CPU\n"
no_memory:
        .asciz  "fatal: no memory where the kernel is\n"
machine:
        .asciz  "memory %u MiB, CPUs %u, boot CPU 0x%x, counter %u Hz\nconsole 16550 at 0x3f8, interrupt 4\n"
no_initrd:
        .asciz  "initrd none\npaging on; type help for the commands\n"
has_initrd:
        .asciz  "initrd 0x%x..0x%x, left alone\npaging on; type help for the commands\n"
`;
