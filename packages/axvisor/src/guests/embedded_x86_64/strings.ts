/** Strings, locks and formatted printing for the embedded kernel for PCs. */

export const text: string = String.raw`
        # rdi, rsi: strings; returns 0 if they are equal
strcmp:
        movzx   eax, byte ptr [rdi]
        movzx   ecx, byte ptr [rsi]
        sub     eax, ecx
        jnz     .Lcompared
        inc     rdi
        inc     rsi
        test    ecx, ecx
        jnz     strcmp
.Lcompared:
        ret

        # rdi: format with %s string, %u decimal, %x hexadecimal; rsi, rdx, rcx, r8, r9: arguments. One message of one CPU at a time.
printf:
        push    rbx
        push    rbp
        push    r12
        push    r9
        push    r8
        push    rcx
        push    rdx
        push    rsi
        mov     rbx, rdi
        mov     rbp, rsp                # the next argument
        # An interrupt must not find the lock taken by the code it interrupted.
        pushfq
        pop     r12
        cli
.Ltake: mov     eax, 1
        xchg    [rip + console_lock], rax
        test    eax, eax
        jz      .Ltaken
        pause
        jmp     .Ltake
.Ltaken:
        movzx   edi, byte ptr [rbx]
        inc     rbx
        test    edi, edi
        jz      .Lprinted
        cmp     edi, '%'
        jne     .Lplain
        movzx   eax, byte ptr [rbx]
        inc     rbx
        mov     rdi, [rbp]
        add     rbp, 8
        cmp     eax, 's'
        je      .Lstring
        mov     esi, 10
        cmp     eax, 'u'
        je      .Lnumber
        mov     esi, 16
.Lnumber:
        call    put_number
        jmp     .Ltaken
.Lstring:
        call    put_string
        jmp     .Ltaken
.Lplain:
        call    putchar
        jmp     .Ltaken
.Lprinted:
        mov     qword ptr [rip + console_lock], 0
        push    r12
        popfq
        add     rsp, 40
        pop     r12
        pop     rbp
        pop     rbx
        ret

        # rdi: string
put_string:
        push    rbx
        mov     rbx, rdi
.Lput_string:
        movzx   edi, byte ptr [rbx]
        test    edi, edi
        jz      .Lput_done
        call    putchar
        inc     rbx
        jmp     .Lput_string
.Lput_done:
        pop     rbx
        ret

        # rdi: unsigned number, rsi: base
put_number:
        sub     rsp, 72
        lea     rcx, [rsp + 71]         # digits from the last one back
        mov     byte ptr [rcx], 0
        mov     rax, rdi
.Ldigit:
        xor     edx, edx
        div     rsi
        add     edx, '0'
        cmp     edx, '9'
        jbe     .Ldecimal
        add     edx, 'a' - '9' - 1
.Ldecimal:
        dec     rcx
        mov     [rcx], dl
        test    rax, rax
        jnz     .Ldigit
        mov     rdi, rcx
        call    put_string
        add     rsp, 72
        ret
`;
