/** Reads ACPI's tables: processors, I/O APIC, power control and the timer (ACPI 6.5, chapter 5). */

export const text: string = String.raw`
        .equ    RSDP_RSDT, 16
        .equ    TABLE_LENGTH, 4
        .equ    TABLE_BODY, 36
        .equ    SIGNATURE_RSDP, 0x2052545020445352 # "RSD PTR "
        .equ    SIGNATURE_MADT, 0x43495041         # "APIC"
        .equ    SIGNATURE_FADT, 0x50434146         # "FACP"
        .equ    FADT_PM1A_CONTROL, 64
        .equ    FADT_PM_TIMER, 76
        .equ    MADT_ENTRIES, 44
        .equ    MADT_LOCAL_APIC, 0
        .equ    MADT_IO_APIC, 1

acpi_read:
        push    rbx
        push    rbp
        mov     rax, SIGNATURE_RSDP
        mov     ebx, 0xe0000
.Lsearch:
        cmp     [rbx], rax
        je      .Lroot
        add     rbx, 16
        cmp     rbx, 0x100000
        jb      .Lsearch
        lea     rdi, [rip + no_acpi]
        jmp     fatal
.Lroot: mov     ebx, [rbx + RSDP_RSDT]
        mov     ebp, [rbx + TABLE_LENGTH]
        add     rbp, rbx
        add     rbx, TABLE_BODY
.Ltable:
        cmp     rbx, rbp
        jae     .Ltables_done
        mov     edi, [rbx]
        add     rbx, 4
        cmp     dword ptr [rdi], SIGNATURE_FADT
        je      .Lfadt
        cmp     dword ptr [rdi], SIGNATURE_MADT
        jne     .Ltable
        call    madt_read
        jmp     .Ltable
.Lfadt: mov     eax, [rdi + FADT_PM1A_CONTROL]
        mov     [rip + pm_control], rax
        mov     eax, [rdi + FADT_PM_TIMER]
        mov     [rip + pm_timer], rax
        jmp     .Ltable
.Ltables_done:
        pop     rbp
        pop     rbx
        ret

        # rdi: the table
madt_read:
        mov     edx, [rdi + TABLE_LENGTH]
        add     rdx, rdi
        add     rdi, MADT_ENTRIES
.Lentry:
        cmp     rdi, rdx
        jae     .Lmadt_done
        movzx   eax, byte ptr [rdi]
        cmp     eax, MADT_IO_APIC
        je      .Lio_apic
        cmp     eax, MADT_LOCAL_APIC
        jne     .Lnext_entry
        test    byte ptr [rdi + 4], 1   # enabled
        jz      .Lnext_entry
        mov     rax, [rip + cpu_count]
        cmp     rax, MAX_CPUS
        jae     .Lnext_entry
        inc     qword ptr [rip + cpu_count]
        shl     rax, CPU_SHIFT
        lea     rcx, [rip + cpus]
        movzx   esi, byte ptr [rdi + 3]
        mov     [rcx + rax + CPU_ID], rsi
        jmp     .Lnext_entry
.Lio_apic:
        mov     eax, [rdi + 4]
        mov     [rip + io_apic], rax
.Lnext_entry:
        movzx   eax, byte ptr [rdi + 1]
        add     rdi, rax
        jmp     .Lentry
.Lmadt_done:
        ret
`;

export const rodata: string = String.raw`
no_acpi:
        .asciz  "fatal: no ACPI tables\n"
`;
