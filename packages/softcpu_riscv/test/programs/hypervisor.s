# A small hypervisor: M-mode hands over to HS-mode, which runs a guest behind two stages of translation and looks at each exit.
#
# Guest virtual 0x80000000 -> guest physical 0x40000000 -> physical 0x80000000, so that the guest's code is where it is assembled;
# guest virtual WINDOW is translated by 4 KiB pages in both stages.

        .equ RAM, 0x80000000
        .equ GPA_RAM, 0x40000000
        .equ GPA_WINDOW, 0x40200000
        .equ WINDOW, 0xc0000000
        .equ FULL, 0xdf                 # V R W X U A D, for the G-stage, where every page is a user page
        .equ READ, 0x53                 # V R U A
        .equ CODE, 0xcf                 # V R W X A D
        .equ DATA, 0xc7

        jal open
        li t0, 0xf0b5ff                 # all exceptions but HS-mode's environment calls, which end the program
        csrw medeleg, t0
        li t0, 0x222
        csrw mideleg, t0
        li t0, -1
        csrw mcounteren, t0
        csrw hcounteren, t0
        li t0, 1 << 63                  # STCE
        csrw menvcfg, t0
        csrw henvcfg, t0
        li t0, 1
        slli t0, t0, 11
        csrw mstatus, t0
        la t0, hypervisor
        csrw mepc, t0
        mret

        .balign 4
exit:   csrr s0, scause                 # in HS-mode, whatever the guest did
        csrr s1, stval
        csrr s2, sepc
        csrr s3, hstatus
        csrr s4, htval
        csrr s5, htinst
        li t6, 93
        beq a7, t6, 1f
        jr s11
1:      ecall
        j 1b

hypervisor:
        la t0, exit
        csrw stvec, t0
        li t0, 0xb1ff & ~(1 << 9)       # exceptions of the guest that are the guest's; all but ECALL from VS-mode
        csrw hedeleg, t0
        li t0, 0x444
        csrw hideleg, t0
        la t0, root                     # its own translation: RAM as it is
        srli t0, t0, 12
        li t1, 8 << 60
        or t0, t0, t1
        csrw satp, t0
        sfence.vma
        la t0, gstage
        srli t0, t0, 12
        li t1, (8 << 60) | (1 << 44)
        or t0, t0, t1
        csrw hgatp, t0
        hfence.gvma
        li t0, GPA_RAM - RAM
        la t1, vsroot
        add t0, t0, t1
        srli t0, t0, 12
        li t1, 8 << 60
        or t0, t0, t1
        csrw vsatp, t0
        hfence.vvma

# the guest reads what the host wrote, and the other way round
        la t0, page
        li t1, 0x1234
        sd t1, 0(t0)
        la a0, guest_copies
        jal enter
        check s0, 10
        srli t0, s3, 7
        andi t0, t0, 3                  # SPV: from the guest, SPVP: from VS-mode
        check t0, 3
        la t0, page
        ld t1, 8(t0)
        check t1, 0x1234

# a store where the G-stage only reads: 23, with the address and the instruction; then the hypervisor makes it writable
        la a0, guest_stores
        jal enter
        check s0, 23
        check s1, WINDOW + 0x1008
        slli t0, s4, 2
        check t0, GPA_WINDOW + 0x1008
        beqz s5, 1f                     # a hart need not tell
        check s5, 0x00c03023            # sd a2, 0(x0): rs1 is replaced by the offset of the address, 0
1:
        check_address s2, guest_stores_here
        andi t0, s3, 1 << 6             # GVA
        check t0, 1 << 6
        la t0, gtable0 + 8
        la t1, page2
        srli t1, t1, 12
        slli t1, t1, 10
        ori t1, t1, FULL
        sd t1, 0(t0)
        hfence.gvma
        la a0, guest_stores_here
        jal resume
        check s0, 10
        la t0, page2
        ld t1, 8(t0)
        check t1, 0x77

# a load and a fetch where the G-stage has nothing: 21 and 20
        la a0, guest_loads
        jal enter
        check s0, 21
        check s1, WINDOW + 0x2010
        slli t0, s4, 2
        check t0, GPA_WINDOW + 0x2010
        la a0, guest_jumps
        jal enter
        check s0, 20
        check s1, WINDOW + 0x2000
        slli t0, s4, 2
        check t0, GPA_WINDOW + 0x2000

# the guest's own table lies where the G-stage has nothing: 21 for a load, with the pseudoinstruction of an implicit read
        la a0, guest_walks
        jal enter
        check s0, 21
        check s1, 0x100000018
        slli t0, s4, 2
        check t0, GPA_WINDOW + 0x2000
        check s5, 0x3000

# its own page fault, breakpoint and access to a user page it handles itself
        la a0, guest_faults
        jal enter
        check s0, 10
        check a0, 13
        check a1, WINDOW + 0x3000
        check a2, 3

# VU-mode: its ECALL goes to VS-mode
        la a0, guest_user
        jal enter
        check s0, 10
        check a0, 8

# what a guest may not do: virtual instruction 22
        la a0, guest_hstatus
        jal enter
        check s0, 22
        check s1, 0x60002573            # csrr a0, hstatus
        la a0, guest_hfence
        jal enter
        check s0, 22
        la a0, guest_hlv
        jal enter
        check s0, 22
        li t0, 7 << 20                  # VTVM, VTW, VTSR
        csrs hstatus, t0
        la a0, guest_satp
        jal enter
        check s0, 22
        la a0, guest_sfence
        jal enter
        check s0, 22
        la a0, guest_sret
        jal enter
        check s0, 22
        la a0, guest_wfi
        jal enter
        check s0, 22
        li t0, 7 << 20
        csrc hstatus, t0

# loads and stores of the hypervisor with the guest's translation
        li t0, 1 << 8                   # SPVP
        csrs hstatus, t0
        li t0, WINDOW
        hlv.d t1, (t0)
        check t1, 0x1234
        hlv.bu t1, (t0)
        check t1, 0x34
        li t2, 0x5678
        addi t0, t0, 16
        hsv.h t2, (t0)
        la t0, page
        lhu t1, 16(t0)
        check t1, 0x5678
        la t0, guest_hstatus
        hlvx.wu t1, (t0)
        check t1, 0x60002573
        la s11, 1f
        li t0, WINDOW + 0x2000
        hlv.w t1, (t0)
        j fail
1:      check s0, 21
        check s1, WINDOW + 0x2000
        srli t0, s3, 6                  # GVA, SPV: it was not the guest that trapped
        andi t0, t0, 3
        check t0, 1
        la s11, 1f
        li t0, WINDOW + 0x3000
        hlv.w t1, (t0)
        j fail
1:      check s0, 13
        li t0, 1 << 8
        csrc hstatus, t0
        li t0, WINDOW + 0x4000          # a user page, as VU-mode
        hlv.w t1, (t0)
        check t1, 0x1234

# interrupts: a software interrupt injected, a timer interrupt of the guest's own stimecmp
        li t0, 1 << 2
        csrw hvip, t0
        la a0, guest_software
        jal enter
        check s0, 10
        check a0, 0x8000000000000001
        csrr t0, hvip
        check t0, 0
        li t0, 1 << 40
        csrw htimedelta, t0
        la a0, guest_timer
        jal enter
        check s0, 10
        check a0, 0x8000000000000005
        check a1, 1                     # time was beyond htimedelta
        csrw htimedelta, zero

# an interrupt of the hypervisor takes it out of a guest that loops
        rdtime t0
        addi t0, t0, 500
        csrw stimecmp, t0
        li t0, 1 << 5
        csrw sie, t0
        la a0, guest_loops
        jal enter
        check s0, 0x8000000000000005
        check_address s2, guest_loops
        csrw sie, zero
        j pass

# Enters the guest in VS-mode at a0 and comes back behind the call when it exits.
enter:  csrw vsstatus, zero
        la t0, guest_trap
        csrw vstvec, t0
resume: mv s11, ra
        csrw sepc, a0
        li t0, 1 << 7                   # SPV
        csrs hstatus, t0
        li t0, 1 << 8                   # SPP
        csrs sstatus, t0
        li a7, 0
        sret

# ── the guest ──

        .balign 4
guest_trap:
        csrr a0, scause
        csrr a1, stval
        jr s10

guest_copies:
        li t0, WINDOW
        ld t1, 0(t0)
        sd t1, 8(t0)
        ecall
guest_stores:
        li a2, 0x77
        li a1, WINDOW + 0x1000
guest_stores_here:
        sd a2, 8(a1)
        ecall
guest_loads:
        li a1, WINDOW + 0x2000
        ld a0, 16(a1)
guest_jumps:
        li a1, WINDOW + 0x2000
        jr a1
guest_walks:
        li a1, 0x100000018
        ld a0, 0(a1)
guest_faults:
        la s10, 1f
        ebreak
1:      mv a2, a0
        la s10, 1f
        li t0, WINDOW + 0x3000
        ld t1, 0(t0)
1:      ecall
guest_user:
        la s10, 2f
        li t0, 0x100
        csrc sstatus, t0
        la t0, user
        li t1, WINDOW + 0x5000
        andi t0, t0, 0x7f
        add t0, t0, t1
        csrw sepc, t0
        sret
2:      ecall
guest_hstatus:
        csrr a0, hstatus
guest_hfence:
        hfence.gvma
guest_hlv:
        hlv.w a0, (a0)
guest_satp:
        csrr a0, satp
guest_sfence:
        sfence.vma
guest_sret:
        sret
guest_wfi:
        wfi
guest_software:
        la s10, 1f
        csrwi sie, 2
        csrsi sstatus, 2
        nop
        j guest_software
1:      csrci sip, 2
        csrwi sie, 0
        ecall
guest_timer:
        rdtime t0
        srli t1, t0, 40
        addi t0, t0, 200
        csrw stimecmp, t0
        li t0, 1 << 5
        csrw sie, t0
        la s10, 1f
        csrsi sstatus, 2
2:      wfi
        j 2b
1:      csrw sie, zero
        mv a1, t1
        ecall
guest_loops:
        j guest_loops

        .balign 4096
user:   ecall                           # runs in VU-mode in page 5
        .balign 4096
page:   .zero 4096
page2:  .zero 4096

        .balign 16384
gstage: .dword 0
        .dword ((gtable1 >> 12) << 10) | 1      # GPA_RAM
        .zero 16384 - 16
gtable1: .dword ((RAM >> 12) << 10) | FULL      # 2 MiB: RAM
        .dword ((gtable0 >> 12) << 10) | 1      # GPA_WINDOW
        .zero 4096 - 16
gtable0: .dword ((page >> 12) << 10) | FULL
        .dword ((page2 >> 12) << 10) | READ
        .dword 0
        .dword ((page >> 12) << 10) | FULL
        .dword ((page >> 12) << 10) | FULL
        .dword ((user >> 12) << 10) | FULL
        .zero 4096 - 48
root:   .dword 0, 0
        .dword ((RAM >> 12) << 10) | CODE
        .zero 4096 - 24
vsroot: .dword 0, 0
        .dword ((GPA_RAM >> 12) << 10) | CODE   # 1 GiB: 0x80000000
        .dword (((vstable1 - RAM + GPA_RAM) >> 12) << 10) | 1
        .dword (((GPA_WINDOW + 0x2000) >> 12) << 10) | 1        # a table that is not there
        .zero 4096 - 40
vstable1: .dword (((vstable0 - RAM + GPA_RAM) >> 12) << 10) | 1
        .zero 4096 - 8
vstable0: .dword ((GPA_WINDOW >> 12) << 10) | DATA
        .dword (((GPA_WINDOW + 0x1000) >> 12) << 10) | DATA
        .dword (((GPA_WINDOW + 0x2000) >> 12) << 10) | CODE
        .dword 0
        .dword (((GPA_WINDOW + 0x4000) >> 12) << 10) | DATA | 0x10
        .dword (((GPA_WINDOW + 0x5000) >> 12) << 10) | CODE | 0x10
        .zero 4096 - 48
