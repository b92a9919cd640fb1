/** Strings, locks and formatted printing for the embedded Arm kernel. */

export const text: string = String.raw`
        // x0: string; returns its length
strlen:
        mov     x1, x0
1:      ldrb    w2, [x1], 1
        cbnz    w2, 1b
        sub     x0, x1, x0
        sub     x0, x0, 1
        ret

        // x0, x1: strings; returns 0 if they are equal
strcmp:
        ldrb    w2, [x0], 1
        ldrb    w3, [x1], 1
        cmp     w2, w3
        b.ne    1f
        cbnz    w2, strcmp
1:      sub     x0, x2, x3
        ret

        // x0: lock word
lock:
        mov     w1, 1
1:      ldaxr   w2, [x0]
        cbnz    w2, 1b
        stxr    w2, w1, [x0]
        cbnz    w2, 1b
        ret

unlock:
        stlr    wzr, [x0]
        ret

        // x0: format with %s string, %u decimal, %x hexadecimal; x1..x7: arguments. One message of one CPU at a time.
printf:
        stp     x30, x19, [sp, -96]!
        stp     x20, x21, [sp, 16]
        stp     x1, x2, [sp, 32]
        stp     x3, x4, [sp, 48]
        stp     x5, x6, [sp, 64]
        str     x7, [sp, 80]
        mov     x19, x0
        add     x20, sp, 32             // the next argument
        // An interrupt must not find the lock taken by the code it interrupted.
        mrs     x21, DAIF
        msr     DAIFSet, DAIF_I
        adr     x0, console_lock
        bl      lock
1:      ldrb    w0, [x19], 1
        cbz     w0, 7f
        cmp     w0, '%'
        b.ne    5f
        ldrb    w2, [x19], 1
        ldr     x0, [x20], 8
        cmp     w2, 's'
        b.eq    2f
        mov     x1, 10
        cmp     w2, 'u'
        b.eq    3f
        mov     x1, 16
        b       3f
2:      bl      put_string
        b       1b
3:      bl      put_number
        b       1b
5:      bl      putchar
        b       1b
7:      adr     x0, console_lock
        bl      unlock
        msr     DAIF, x21
        ldp     x20, x21, [sp, 16]
        ldp     x30, x19, [sp], 96
        ret

put_string:
        stp     x30, x19, [sp, -16]!
        mov     x19, x0
1:      ldrb    w0, [x19], 1
        cbz     w0, 2f
        bl      putchar
        b       1b
2:      ldp     x30, x19, [sp], 16
        ret

        // x0: unsigned number, x1: base
put_number:
        stp     x30, x19, [sp, -96]!
        add     x2, sp, 88              // digits from the last one back
        strb    wzr, [x2]
1:      udiv    x3, x0, x1
        msub    x4, x3, x1, x0
        mov     x0, x3
        add     w4, w4, '0'
        cmp     w4, '9'
        b.ls    2f
        add     w4, w4, 'a' - '9' - 1
2:      strb    w4, [x2, -1]!
        cbnz    x0, 1b
        mov     x0, x2
        bl      put_string
        ldp     x30, x19, [sp], 96
        ret
`;
