/*
 * Entry of a 64-bit guest of a PC by PVH (Xen, docs/misc/pvh): 32-bit protected mode without paging. The first 4 GiB mapped as they are in
 * pages of 2 MiB (SDM volume 3, 4.5), long mode, SSE, a stack, main, and off by ACPI as QEMU's board `pc` does it.
 */
    .section .note.pvh, "a", @note
    .long 4, 4, 18               /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long _start

    .section .text.start, "ax"
    .code32
    .globl _start
_start:
    movl $directories + 3, %eax  /* present, writable */
    movl $pointers, %edi
1:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    cmpl $pointers + 32, %edi
    jne 1b
    movl $0x83, %eax             /* and a large page */
    movl $directories, %edi
2:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    cmpl $directories + 16384, %edi
    jne 2b
    movl $pointers + 3, top
    movl $top, %eax
    movl %eax, %cr3
    movl $0x620, %eax            /* CR4.PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $0xc0000080, %ecx       /* IA32_EFER.LME */
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl $0x80000013, %eax       /* CR0.PG, ET, MP, PE */
    movl %eax, %cr0
    lgdt descriptors_at
    ljmp $8, $3f
    .code64
3:  movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $stack_top, %esp
    call main
    movw $0x604, %dx             /* PM1a_CNT: SLP_EN with SLP_TYP of S5 */
    movw $0x2000, %ax
    outw %ax, %dx
4:  hlt
    jmp 4b

    .balign 8
descriptors:
    .quad 0
    .quad 0x00af9b000000ffff     /* code of 64 bits */
    .quad 0x00cf93000000ffff     /* data */
descriptors_at:
    .word 23
    .long descriptors

    .section .bss.tables, "aw", @nobits
    .balign 4096
top:
    .space 4096
pointers:
    .space 4096
directories:
    .space 16384

    .section .bss.stack, "aw", @nobits
    .balign 16
    .space 65536
stack_top:
