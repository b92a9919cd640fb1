/*
 * Entry of a 32-bit guest of a PC by multiboot (0.6.96): flat segments, no paging. As systems do, it pages: the first 4 GiB as they are, in pages of
 * 4 MiB (SDM volume 3, 4.3). SSE, a stack, main, and off by ACPI as QEMU's board `pc` does it.
 */
    .section .multiboot, "a"
    .balign 4
    .long 0x1badb002, 0, -0x1badb002

    .section .text.start, "ax"
    .globl _start
_start:
    movl $0x83, %eax             /* present, writable, large */
    movl $directory, %edi
1:  movl %eax, (%edi)
    addl $0x400000, %eax
    addl $4, %edi
    cmpl $directory + 4096, %edi
    jne 1b
    movl $directory, %eax
    movl %eax, %cr3
    movl $0x610, %eax            /* CR4.PSE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $0x80000013, %eax       /* CR0.PG, ET, MP, PE */
    movl %eax, %cr0
    lgdt descriptors_at
    ljmp $8, $2f
2:  movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $stack_top, %esp
    call main
    movw $0x604, %dx             /* PM1a_CNT: SLP_EN with SLP_TYP of S5 */
    movw $0x2000, %ax
    outw %ax, %dx
3:  hlt
    jmp 3b

    .balign 8
descriptors:
    .quad 0
    .quad 0x00cf9b000000ffff     /* code */
    .quad 0x00cf93000000ffff     /* data */
descriptors_at:
    .word 23
    .long descriptors

    .section .bss.tables, "aw", @nobits
    .balign 4096
directory:
    .space 4096

    .section .bss.stack, "aw", @nobits
    .balign 16
    .space 65536
stack_top:
