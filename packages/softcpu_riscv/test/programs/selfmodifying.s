# Code that changes: written and executed again, patched in a loop that has become hot, through another mapping, and across pages.

        .equ LI_A0, 0x00000513          # addi a0, x0, imm << 20
        .equ RET, 0x00008067
        .equ ALIAS, 0x40000000

        jal open

# a function that is written, called, and written again
        la s0, buffer
        li s1, 0
1:      slli t0, s1, 20
        li t1, LI_A0
        or t0, t0, t1
        sw t0, 0(s0)
        li t1, RET
        sw t1, 4(s0)
        fence.i
        jalr s0
        sub a0, a0, s1
        check a0, 0
        addi s1, s1, 1
        li t0, 300
        bne s1, t0, 1b

# a hot loop patches an instruction of itself every 64 rounds
        li s1, 0
        li s2, 0
        li s3, 0
2:      addi s1, s1, 1
patch:  addi s2, s2, 1                  # its immediate becomes 1 + the number of patches
        andi t0, s1, 63
        bnez t0, 3f
        addi s3, s3, 1
        la t1, patch
        lw t0, 0(t1)
        li t2, 1 << 20
        add t0, t0, t2
        sw t0, 0(t1)
        fence.i
3:      li t0, 64 * 20
        bne s1, t0, 2b
        check s3, 20
        check s2, 64 * 20 * 21 / 2

# a byte of an instruction, between two hot calls of another page
        la s0, far
        li s1, 2000
4:      jalr s0
        addi s1, s1, -1
        bnez s1, 4b
        check a0, 0x111
        li t0, 0x22
        sb t0, 3(s0)                    # imm 0x111 -> 0x221
        fence.i
        jalr s0
        check a0, 0x221

# an instruction that lies in two pages, either half of it
        la s0, straddle
        jalr s0
        check a0, 0x111
        lhu t0, 2(s0)
        li t1, 0x3330
        add t0, t0, t1
        sh t0, 2(s0)
        fence.i
        jalr s0
        check a0, 0x444
        li t0, 0x0593                   # a1 instead of a0
        sh t0, 0(s0)
        fence.i
        li a0, 0
        jalr s0
        check a0, 0
        check a1, 0x444

# in S-mode, written through one mapping and executed through another, and the other way round
        la a0, root
        jal supervise
        la s0, buffer
        li t0, 0x1fffff
        and s2, s0, t0
        li t0, ALIAS
        add s2, s2, t0
        li s1, 0
5:      slli t0, s1, 20
        li t1, LI_A0
        or t0, t0, t1
        sw t0, 0(s2)
        fence.i
        jalr s0
        sub a0, a0, s1
        check a0, 0
        addi s1, s1, 1
        li t0, 100
        bne s1, t0, 5b
6:      slli t0, s1, 20
        li t1, LI_A0
        or t0, t0, t1
        sw t0, 0(s0)
        fence.i
        jalr s2
        sub a0, a0, s1
        check a0, 0
        addi s1, s1, 1
        li t0, 200
        bne s1, t0, 6b

# the same address becomes another page
        li s1, 0
        la s3, table0
7:      la t0, page1
        andi t1, s1, 1
        beqz t1, 8f
        la t0, page2
8:      srli t0, t0, 12
        slli t0, t0, 10
        ori t0, t0, 0xcf
        sd t0, 0(s3)
        li s0, ALIAS + 0x200000
        sfence.vma s0, zero
        jalr s0
        andi t1, s1, 1
        addi t1, t1, 1
        sub a0, a0, t1
        check a0, 0
        addi s1, s1, 1
        li t0, 200
        bne s1, t0, 7b
        j pass

        .balign 4096
buffer: .zero 64
        .balign 4096
far:    li a0, 0x111
        ret
        .zero 4096 - 8 - 2
straddle: li a0, 0x111
        ret
        .balign 4096
page1:  li a0, 1
        ret
        .balign 4096
page2:  li a0, 2
        ret
        .balign 4096
root:   .dword 0
        .dword ((table1 >> 12) << 10) | 1
        .dword (0x80000 << 10) | 0xcf
        .zero 4096 - 24
table1: .dword (0x80000 << 10) | 0xcf
        .dword ((table0 >> 12) << 10) | 1
        .zero 4096 - 16
table0: .zero 4096
