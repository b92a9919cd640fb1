# Every kind of statement the assembler knows, for comparison with GNU as. Expansions of li differ by design and are not here.
        .equ    PAGE, 4096
        .equ    FLAGS, 1 << 3 | 1
        .set    later_minus_start, 12
        .text
        .globl  _start
_start:
        j       start_code
        .word   later - _start, 0x12345678, -1
        .half   1, 2, 0xffff
        .byte   'a', '\n', 255, -128, '#'
        .balign 8
        .dword  _start, later + 8, 0xfedcba9876543210
        .ascii  "no terminator # here; \"quoted\"", "second"
        .asciz  "tab\tnewline\n\x41\101"
        .align  4
        .zero   5
        .balign 4, 0xaa
        .skip   3, 0x55
        .p2align 3
start_code:                     # another comment
        la      a0, later       /* and another */
        lla     t0, _start
        la      sp, stack_top
1:      auipc   a1, %pcrel_hi(message)
        addi    a1, a1, %pcrel_lo(1b)
        lui     a2, %hi(PAGE * 3 + 2048)
        addi    a2, a2, %lo(PAGE * 3 + 2048)
        ld      a3, %lo(PAGE + 16)(a2)
        call    function
        tail    function
        jump    later, t3
        lw      a0, message
        ld      a0, later
        lbu     s1, message
        sw      a0, message, t0
        fld     fa0, later, t1
        fsd     fa0, later, t1
2:      beqz    a0, 2b
        bnez    a0, 2f
        blez    a0, 1b
        bgez    a0, 1b
        bltz    a0, 2b
        bgtz    a0, 2b
        beq     a0, a1, 2b
        bne     x10, x11, 2f
        bgt     a0, a1, 2b
        ble     a0, a1, 2f
        bgtu    a0, a1, 2b
        bleu    a0, a1, 2f
        blt     a0, a1, function
        bge     a0, a1, function
        bltu    fp, s0, function
        bgeu    a0, a1, function
2:      nop
        mv      a0, a1
        not     a0, a1
        neg     a0, a1
        negw    a0, a1
        sext.w  a0, a1
        sext.b  a0, a1
        sext.h  a0, a1
        zext.b  a0, a1
        zext.h  a0, a1
        zext.w  a0, a1
        seqz    a0, a1
        snez    a0, a1
        sltz    a0, a1
        sgtz    a0, a1
        sgt     a0, a1, a2
        sgtu    a0, a1, a2
        j       2b
        jal     function
        jal     t0, function
        jr      a0
        jr      8(a0)
        jalr    a0
        jalr    4(a0)
        jalr    t0, a0
        jalr    t0, 4(a0)
        jalr    t0, a0, 4
        ret
        add     a0, a0, 5
        and     a0, a0, FLAGS
        sll     a0, a0, 3
        sltu    a0, a0, 1
        sraw    a0, a0, 31
        addi    a0, a0, -2048
        addi    a0, a0, (1 << 11) - 1
        andi    a0, a0, ~(FLAGS)
        ori     a0, a0, 'x'
        slli    a0, a0, 63
        srai    a0, a0, 12
        slliw   a0, a0, 31
        lui     a0, 0xfffff
        auipc   a0, 0x10
        lb      a0, (a1)
        lh      a0, -2(a1)
        lwu     a0, PAGE - 2049(a1)
        sb      a0, 2047(sp)
        sd      ra, 8 * 2(sp)
        csrr    a0, sstatus
        csrw    satp, a0
        csrw    sscratch, zero
        csrs    sie, a0
        csrc    sip, a0
        csrwi   stvec, 4
        csrsi   sstatus, 2
        csrci   sstatus, 2
        csrw    sie, 0
        csrrw   sp, sscratch, sp
        csrrsi  a0, 0x7c0, 31
        csrr    t0, hgatp
        csrr    t0, vsatp
        csrr    t0, mhpmcounter17
        csrr    t0, pmpaddr15
        rdtime  a0
        rdcycle a0
        rdinstret a0
        frcsr   a0
        fscsr   a0
        fsrm    t0, a0
        fsflags a0
        frflags a0
        fence
        fence   rw, w
        fence   i, o
        fence.tso
        fence.i
        pause
        ecall
        ebreak
        unimp
        wfi
        sret
        mret
        sfence.vma
        sfence.vma a0
        sfence.vma a0, a1
        sfence.vma zero, a1
        hfence.vvma
        hfence.gvma a0, a1
        sinval.vma a0, a1
        sfence.w.inval
        hlv.wu  a0, (a1)
        hsv.d   a0, (a1)
        cbo.zero (a0)
        cbo.flush 0(a0)
        lr.w    a0, (a1)
        lr.d.aqrl a0, (a1)
        sc.d.rl a0, a2, (a1)
        amoadd.w a0, a2, (a1)
        amomaxu.d.aq a0, a2, 0(a1)
        mulhsu  a0, a1, a2
        remuw   a0, a1, a2
        sh1add  a0, a1, a2
        add.uw  a0, a1, a2
        slli.uw a0, a1, 40
        rori    a0, a1, 63
        rev8    a0, a1
        orc.b   a0, a1
        cpopw   a0, a1
        bseti   a0, a1, 62
        clmulh  a0, a1, a2
        flw     ft0, 4(a0)
        fsd     fs11, -8(sp)
        fadd.s  fa0, fa1, fa2
        fadd.d  fa0, fa1, fa2, rtz
        fmadd.d fa0, fa1, fa2, fa3
        fnmsub.s fa0, fa1, fa2, fa3, rup
        fsqrt.d fa0, fa1
        fsgnj.d fa0, fa1, fa2
        fmv.s   fa0, fa1
        fneg.d  fa0, fa1
        fabs.d  fa0, fa1
        fgt.d   a0, fa1, fa2
        fge.s   a0, fa1, fa2
        fcvt.w.d a0, fa0, rtz
        fcvt.l.s a0, fa0
        fcvt.d.w fa0, a0
        fcvt.d.l fa0, a0
        fcvt.s.d fa0, fa1
        fcvt.d.s fa0, fa1
        fmv.x.d a0, fa0
        fmv.w.x fa0, zero
        fclass.d a0, fa0
        .word   . - _start, PAGE | 3 + 1, (PAGE | 3) + 1, 1 << 2 + 3, -5 / 2, 7 % 4 * 2
function:
        addi    sp, sp, -16; sd ra, (sp); addi sp, sp, 16; ret
later:  .dword  later_minus_start
message:
        .string "message"
        .balign 16
        .zero   64
stack_top:
